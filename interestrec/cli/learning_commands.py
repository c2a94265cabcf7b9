"""What results teach: search of settings."""

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
