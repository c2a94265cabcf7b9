"""Small artifacts of each schema version that is still read, made by hand by the release that wrote that version.

When `SCHEMA_VERSION` changes, `python -m tests.golden` in the repository's root adds a directory for the new one; those
of older minor versions stay, except for kinds that are refused from then on (`OLDEST_MINOR`).
"""
