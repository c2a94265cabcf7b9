"""The command line: parse, call, map errors to an exit status."""
