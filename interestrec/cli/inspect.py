"""Commands that only look: at raw files, at a corpus as a whole, and at one user, item or impression of it."""

from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Config, Corpus, Json, Log, Overrides, Quiet, Workspace, context, open_corpus
from interestrec.core.errors import UsageError

User = Annotated[str | None, typer.Option("--user", metavar="ID", help="A user: latest events, impressions")]
Item = Annotated[str | None, typer.Option("--item", metavar="ID", help="An item: attributes, who likes it most")]
Impression = Annotated[str | None, typer.Option("--impression", metavar="ID", help="An impression: what was shown")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most rows of each list")]
Rows = Annotated[int, typer.Option("--rows", min=1, metavar="N", help="First rows looked at of every file")]


def check(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    rows: Rows = 1000,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Would preprocess run? The first rows of every file."""
    with session("check", as_json, quiet, log) as output:
        from interestrec.stages.check import check as findings

        found = findings(context(config, overrides, workspace, force=False).settings, rows)
        output.findings([(finding.about, finding.told, finding.error) for finding in found])


def describe(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """A page on the corpus: sizes, intensities, drops."""
    with session("describe", as_json, quiet=False, log=log) as output:
        from interestrec.corpus.disclosure import withhold
        from interestrec.corpus.figures import describe as figures
        from interestrec.report.describe_page import page

        with open_corpus(config, overrides, workspace, corpus) as opened:
            found = withhold(figures(opened.corpus), opened.corpus, opened.min_users)
        output.show(found, page(found))


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
    """One user, item or impression of the corpus."""
    with session("inspect", as_json, quiet=False, log=log) as output:
        kind, wanted = _only_one({"user": user, "item": item, "impression": impression})
        from interestrec.corpus.lookup import LOOKUPS
        from interestrec.report.inspect_page import PAGES

        with open_corpus(config, overrides, workspace, corpus) as opened:
            found = LOOKUPS[kind](opened.corpus, opened.named(wanted) if kind == "user" else wanted, limit)
        output.show({kind: found}, PAGES[kind](found))


def _only_one(given: dict[str, str | None]) -> tuple[str, str]:
    """The one option that was given.

    Raises:
        UsageError: none was given, or several.
    """
    chosen = [(name, value) for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise UsageError("give exactly one of --user ID, --item ID, --impression ID")
    return chosen[0]
