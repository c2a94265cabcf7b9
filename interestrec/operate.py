"""Commands for those who run a workspace: users that it must forget, and the names that it has for users."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from interestrec.console import session
from interestrec.core.errors import ConfigError, UsageError
from interestrec.options import Config, Json, Overrides, Quiet, Workspace, context

Forgettable = Annotated[str | None, typer.Option("--user", metavar="ID", help="A user, as the raw log has it")]
Listed = Annotated[str | None, typer.Option("--users", metavar="FILE", help="Users, one id a line; - = standard input")]


def forget(
    user: Forgettable = None,
    users: Listed = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Leave users out of every later corpus."""
    with session("forget", as_json, quiet=False) as output:
        if (user is None) == (users is None):
            raise UsageError("give --user ID or --users FILE")
        settings = context(config, overrides, workspace, force=False).settings
        from interestrec.core.forgotten import FORGOTTEN, add_forgotten

        named = [user] if user is not None else _lines(str(users))
        ids = [name.strip() for name in named if name is not None and name.strip()]
        if not ids:
            raise UsageError("no id is given: there is nobody to forget")
        new, listed = add_forgotten(settings.workspace, ids)
        file = settings.workspace / FORGOTTEN
        output.show(
            {"file": str(file), "added": new, "users": listed},
            f"{file}: {new:,} added, {listed:,} in all. They are still in what was built before: run `interestrec "
            "run`, then `interestrec prune`; the raw logs and copies of artifacts elsewhere are yours to clean",
        )


def pseudonym(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    quiet: Quiet = False,
) -> None:
    """Ids on standard input, one a line, to pseudonyms."""
    with session("pseudonym", False, quiet):
        chosen = context(config, overrides, workspace, force=False).settings.preprocess.pseudonym_key
        from interestrec.core.keys import read_key
        from interestrec.core.pseudonyms import pseudonym as pseudonym_of

        key = read_key(chosen, "preprocess.pseudonym_key")
        if key is None:
            raise ConfigError("no preprocess.pseudonym_key is configured: ids are written as they are")
        for line in sys.stdin:
            name = line.rstrip("\r\n")
            print(pseudonym_of(key, name) if name else "")


def _lines(file: str) -> list[str]:
    from interestrec.core.files import read_lines

    return sys.stdin.read().splitlines() if file == "-" else read_lines(Path(file))
