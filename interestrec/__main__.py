"""`python -m interestrec` is the `interestrec` command."""

from interestrec.cli import main

main()
