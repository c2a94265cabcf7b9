"""Commands that look after a workspace."""

from dataclasses import asdict
from typing import Annotated

import typer

from interestrec.console import session
from interestrec.options import Config, DryRun, Json, Overrides, Quiet, Workspace, context

_RETENTION_HELP = "Remove versions and checkpoints older than this, current or not"
RetentionDays = Annotated[float | None, typer.Option("--retention-days", metavar="N", min=0, help=_RETENTION_HELP)]


def status(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """What is there, fresh, stale, running, by whom."""
    with session("status", as_json, quiet=False) as output:
        from interestrec.status import as_text, as_values
        from interestrec.status import status as look

        chosen = context(config, overrides, workspace, force=False)
        found = look(chosen)
        output.show(as_values(chosen.settings.workspace, found), as_text(found))


def prune(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    retention_days: RetentionDays = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove versions that nothing refers to."""
    with session("prune", as_json, quiet) as output:
        from interestrec.core.prune import prune as remove

        chosen = context(config, overrides, workspace, force=False)
        removed = remove(chosen.settings.workspace, retention_days, dry_run)
        size, verb = sum(one.bytes for one in removed), "would remove" if dry_run else "removed"
        lines = [f"{verb} {one.path}: {one.reason}, {one.bytes / 1e6:,.1f} MB" for one in removed]
        values = {"removed": [{**asdict(one), "path": str(one.path)} for one in removed], "bytes": size}
        output.show(
            {**values, "dry_run": dry_run}, "\n".join([*lines, f"{verb} {len(removed)}, {size / 1e6:,.1f} MB in all"])
        )
