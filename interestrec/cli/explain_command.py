"""`explain`: why an item has its place in the list of a user."""

from pathlib import Path
from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Config, Json, Log, Overrides, Quiet, Workspace, context, path_option, rank_request
from interestrec.core.errors import UsageError

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="User of the log")]
Item = Annotated[str | None, typer.Option("--item", metavar="ID", help="Item whose place is explained")]
K = Annotated[int, typer.Option("-k", min=1, metavar="N", help="Length of the list that the item is in or not")]
Words = Annotated[bool, typer.Option("--words", help="Also explain the words of its text; needs encoder and model")]
At = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="Time of the list: ISO 8601 or now [default: after the last event]"),
]
Decision = Annotated[Path | None, path_option("--decision", "Decision to use instead of the workspace's")]


def explain(
    user: User = None,
    item: Item = None,
    k: K = 10,
    words: Words = False,
    as_of: At = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    decision: Decision = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Explain an item's place in a user's list.

    Says what each component adds to its score, what happens without each event of the history, the smallest set of
    events without which the item is not listed, and the liked items that are most like it.
    """
    with session("explain", as_json, quiet, log) as output:
        if user is None or item is None:
            raise UsageError("name both whose list and what in it: --user ID --item ID")
        from interestrec import pipeline
        from interestrec.report.explanation_page import explanation_page

        run_context = context(
            config, overrides, workspace, False, rank_request=rank_request(as_of, None, None), decision=decision
        )
        values = pipeline.explain(run_context, user, item, k, words)
        output.show({"explanation": values}, explanation_page(user, values))
