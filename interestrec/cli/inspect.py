"""Read-only commands: check raw files, describe a corpus, show one user, item or impression."""

from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Config, Corpus, Json, Log, Overrides, Quiet, Workspace, context, open_corpus
from interestrec.core.errors import UsageError

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="Show a user: latest events and impressions")]
Item = Annotated[
    str | None, typer.Option("--item", metavar="ID", help="Show an item: attributes, most interested users")
]
Impression = Annotated[
    str | None, typer.Option("--impression", metavar="ID", help="Show an impression: history, candidates")
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Maximum number of rows per list")]
Rows = Annotated[int, typer.Option("--rows", min=1, metavar="N", help="Number of rows to read from each file")]


def check(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    rows: Rows = 1000,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Check the configuration and the first rows of files.

    Does with them what `preprocess` does, and writes nothing. Where they leave nothing to work with, reads up to 100
    times as many.
    """
    with session("check", as_json, quiet, log) as output:
        from interestrec.stages.check import check as findings

        settings = context(config, overrides, workspace, force=False).settings
        output.findings(findings(settings, rows))


def describe(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Summarize a corpus: sizes, intensities, dropped rows."""
    with session("describe", as_json, quiet=False, log=log) as output:
        from interestrec.corpus.disclosure import withhold
        from interestrec.corpus.figures import describe as figures
        from interestrec.report.describe_page import page

        with open_corpus(config, overrides, workspace, corpus) as opened:
            values = withhold(figures(opened.corpus), opened.corpus, opened.min_users)
        output.show(values, page(values))


def inspect(
    user: User = None,
    item: Item = None,
    impression: Impression = None,
    limit: Limit = 20,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Show one user, item or impression of the corpus."""
    with session("inspect", as_json, quiet=False, log=log) as output:
        kind, name = _only_one({"user": user, "item": item, "impression": impression})
        from interestrec.corpus.lookup import LOOKUPS
        from interestrec.report.inspect_page import PAGES

        with open_corpus(config, overrides, workspace, corpus) as opened:
            record = LOOKUPS[kind](opened.corpus, opened.named(name) if kind == "user" else name, limit)
        output.show({kind: record}, PAGES[kind](record))


def _only_one(given: dict[str, str | None]) -> tuple[str, str]:
    """Return the name and value of the only option with a value.

    Raises:
        UsageError: no option, or more than one, has a value.
    """
    options = [(name, value) for name, value in given.items() if value is not None]
    if len(options) != 1:
        raise UsageError("give exactly one of --user ID, --item ID, --impression ID")
    return options[0]
