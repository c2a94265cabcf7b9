"""Workspace commands: show artifact states, remove old versions, exclude users, compute pseudonyms."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from interestrec.cli.console import session, write
from interestrec.cli.options import Config, DryRun, Json, Log, Overrides, Quiet, Workspace, context
from interestrec.core.errors import ConfigError, UsageError

_RETENTION_HELP = "Also remove versions and checkpoints older than N days, even current ones"
RetentionDays = Annotated[float | None, typer.Option("--retention-days", metavar="N", min=0, help=_RETENTION_HELP)]
Forgettable = Annotated[str | None, typer.Option("--user", metavar="ID", help="User ID as in the raw log")]
Listed = Annotated[
    str | None, typer.Option("--users", metavar="FILE", help="File of user IDs, one per line; - = stdin")
]


def status(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Show artifact states and running jobs.

    An artifact is fresh, stale (with the reasons), missing, broken or running.
    """
    with session("status", as_json, quiet=False, log=log) as output:
        from interestrec.cli.status import as_text, as_values
        from interestrec.cli.status import status as look

        run_context = context(config, overrides, workspace, force=False)
        states = look(run_context)
        output.show(as_values(run_context.settings.workspace, states), as_text(states))


def prune(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    retention_days: RetentionDays = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Remove artifact versions that nothing refers to."""
    with session("prune", as_json, quiet, log) as output:
        from interestrec.workspace.prune import prune as remove

        settings = context(config, overrides, workspace, force=False).settings
        removed = remove(settings.workspace, retention_days, dry_run)
        size, verb = sum(one.bytes for one in removed), "would remove" if dry_run else "removed"
        lines = [f"{verb} {one.path}: {one.reason}, {one.bytes / 1e6:,.1f} MB" for one in removed]
        values = {"removed": [{**asdict(one), "path": str(one.path)} for one in removed], "bytes": size}
        output.show(
            {**values, "dry_run": dry_run}, "\n".join([*lines, f"{verb} {len(removed)}, {size / 1e6:,.1f} MB in total"])
        )


def forget(
    user: Forgettable = None,
    users: Listed = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Exclude users from every corpus built from now on.

    Afterwards run `interestrec run` and `interestrec prune`, so that no artifact contains these users any more.
    """
    with session("forget", as_json, quiet=False, log=log) as output:
        if (user is None) == (users is None):
            raise UsageError("specify either --user ID or --users FILE")
        settings = context(config, overrides, workspace, force=False).settings
        from interestrec.workspace.forgotten import FORGOTTEN_FILE, add_forgotten

        lines = [user] if user is not None else _lines(str(users))
        ids = [line.strip() for line in lines if line is not None and line.strip()]
        if not ids:
            raise UsageError("the list of user IDs is empty; nobody was added")
        added, total = add_forgotten(settings.workspace, ids)
        file = settings.workspace / FORGOTTEN_FILE
        output.show(
            {"file": str(file), "added": added, "users": total},
            f"{file}: {added:,} users added, {total:,} in total. Existing artifacts still contain them: run "
            "`interestrec run`, then `interestrec prune`. Raw logs and copies of artifacts elsewhere stay as they are: "
            "delete them there yourself",
        )


def pseudonym(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Convert user IDs to pseudonyms.

    Reads one ID per line from standard input and prints one pseudonym per line.
    """
    with session("pseudonym", False, quiet, log):
        settings = context(config, overrides, workspace, force=False).settings
        from interestrec.io.keys import read_key
        from interestrec.io.pseudonyms import pseudonym as pseudonym_of

        key = read_key(settings.preprocess.pseudonym_key, "preprocess.pseudonym_key")
        if key is None:
            raise ConfigError("preprocess.pseudonym_key is not configured, so there are no pseudonyms; set it")
        for line in sys.stdin:
            name = line.rstrip("\r\n")
            write(pseudonym_of(key, name) if name else "")


def _lines(file: str) -> list[str]:
    from interestrec.io.files import read_lines

    return sys.stdin.read().splitlines() if file == "-" else read_lines(Path(file))
