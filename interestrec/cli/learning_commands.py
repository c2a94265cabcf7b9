"""Commands that learn from results: search of settings, and a replay of history."""

import json
from typing import Annotated, Literal

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Config, Force, Json, Log, Overrides, Quiet, Workspace, context

_BUDGET_HELP = "Trials per system, such as 60trials, or the time of all systems together, such as 90m or 2h"
BudgetText = Annotated[str, typer.Option("--budget", metavar="NUMBERtrials|TIME", help=_BUDGET_HELP)]
Systems = Annotated[
    Literal["ours", "all"] | None,
    typer.Option("--systems", help="Search ours, or the baselines too with an equal budget [default: tune.systems]"),
]
_WINDOW_HELP = "Length of a window, such as 12h, 1d or 2w [default: replay.window]"
Length = Annotated[str | None, typer.Option("--window", metavar="LENGTH", help=_WINDOW_HELP)]
_POLICY_HELP = "refit, update, frozen, or a configuration that is fitted at every window; repeatable"
Policies = Annotated[
    list[str] | None, typer.Option("--policy", metavar="POLICY", help=f"{_POLICY_HELP} [default: replay.policies]")
]
_START_HELP = "Share of the events that are known before the first window [default: replay.start]"
First = Annotated[float | None, typer.Option("--start", metavar="SHARE", help=_START_HELP)]
Most = Annotated[
    int | None, typer.Option("--windows", min=1, metavar="N", help="Most windows [default: replay.windows]")
]
_TOLERANCE_HELP = "Acceptable loss, a share of the metric [default: replay.tolerance]"
Tolerance = Annotated[float | None, typer.Option("--tolerance", metavar="SHARE", help=_TOLERANCE_HELP)]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Policies at a time; seconds then mix")]


def tune(
    budget: BudgetText,
    systems: Systems = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
) -> None:
    """Search settings of the model and of scorers by trials.

    Settings are chosen on one half of valid and confirmed on the other; test is not read. The artifact `tuning` has a
    configuration for `run`, all trials and a page. A killed search goes on with the same command, and several
    processes may run it together.
    """
    with session("tune", as_json, quiet, log) as output:
        from interestrec import pipeline
        from interestrec.learning.budget import Budget

        parsed = Budget.parse(budget)
        searched = [] if systems is None else [f"tune.systems={systems}"]
        run_context = context(config, [*(overrides or []), *searched], workspace, force)
        output.result(pipeline.tune(run_context, parsed))


def replay(
    window: Length = None,
    policy: Policies = None,
    start: First = None,
    windows: Most = None,
    tolerance: Tolerance = None,
    jobs: Jobs = 1,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
) -> None:
    """Replay history: predict a window, score it, learn it, go on.

    Compares policies of refitting by the events of each window, which no policy knows before it, and says how often to
    refit. Writes the artifact `replay`. An interrupted replay goes on where it was.
    """
    with session("replay", as_json, quiet, log) as output:
        from interestrec import pipeline

        given = {"window": window, "policies": policy, "start": start, "windows": windows, "tolerance": tolerance}
        values = [f"replay.{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
        run_context = context(config, [*(overrides or []), *values], workspace, force)
        output.result(pipeline.replay(run_context, jobs))
