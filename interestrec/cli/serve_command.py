"""The command `serve`: the web service of a decision."""

from typing import Annotated

import typer

from interestrec.cli.answer_commands import Decision
from interestrec.cli.console import session
from interestrec.cli.options import Config, Log, Overrides, Quiet, Workspace, context

Host = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address [default: serve.host]")]
Port = Annotated[int | None, typer.Option("--port", metavar="N", help="Port, 0 = a free one [default: serve.port]")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, metavar="N", help="Processes that make lists [default: one per core]")
]


def serve(
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    decision: Decision = None,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Answer programs over HTTP, and receive feedback.

    Lists are those of `recommend` and of `rank --as-of`. Feedback counts in the next list of its user; it is kept in
    the workspace, and `update --feedback` lets the decision follow it. A new decision of the workspace replaces the
    current one without a failed request.
    """
    with session("serve", False, quiet, log):
        from interestrec import pipeline

        flags = {"serve.host": host, "serve.port": port, "serve.workers": workers}
        values = [f"{key}={value}" for key, value in flags.items() if value is not None]
        run_context = context(config, [*(overrides or []), *values], workspace, False, decision=decision)
        arguments = [] if config is None else ["--config", str(config)]
        arguments += [word for override in overrides or [] for word in ("--set", override)]
        arguments += [] if workspace is None else ["--workspace", str(workspace)]
        pipeline.serve(run_context, arguments)
