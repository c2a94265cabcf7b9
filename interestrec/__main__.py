"""`python -m interestrec` is the `interestrec` command."""

from interestrec.cli.app import main

main()
