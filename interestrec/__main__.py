"""`python -m interestrec` is the `interestrec` command."""

from interestrec.cli.app import main

if __name__ == "__main__":  # the workers of `runtime.cluster.local` import this module
    main()
