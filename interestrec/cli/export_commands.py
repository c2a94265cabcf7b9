"""Export commands: item vectors as a file, and a log as files of other tools."""

from pathlib import Path
from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import (
    Config,
    Corpus,
    Encoder,
    Json,
    Log,
    Overrides,
    Quiet,
    Workspace,
    context,
    path_option,
)
from interestrec.core.errors import UsageError


def encode(
    config: Config = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Output [default: a file in the workspace]")
    ] = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Annotated[Path | None, path_option("--model", "Export this model's item vectors, not the encoder's")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Export item vectors as a Parquet file."""
    with session("encode", as_json, quiet, log) as output:
        from interestrec import pipeline

        if model is not None and encoder is not None:
            raise UsageError("--encoder and --model exclude each other; use only one of them")
        run_context = context(config, overrides, workspace, force=False, corpus=corpus, encoder=encoder, model=model)
        export = pipeline.export_vectors(run_context, to, from_model=model is not None)
        output.show(
            export,
            f"{export['file']}: {export['items']:,} vectors of width {export['width']} from the {export['source']}",
        )


def convert(
    to: Annotated[Path, path_option("--to", "Directory to create; its name is the name of the data set")],
    layout: Annotated[str, typer.Option("--as", metavar="recbole|lenskit|parquet", help="Layout of the files")],
    split: Annotated[
        bool, typer.Option("--split", help="Write the events of the corpus, with its split, instead of the raw log")
    ] = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier convert wrote there")] = False,
) -> None:
    """Write the events, items and users for other tools.

    Without --split these are all rows that could be read, before any cleaning. The directory also has conversion.json,
    which counts what was left out or lost.
    """
    with session("convert", as_json, quiet, log) as output:
        from interestrec import pipeline

        if corpus is not None and not split:
            raise UsageError("--corpus needs --split, which writes the events of a corpus")
        converted = pipeline.convert_log(context(config, overrides, workspace, force, corpus=corpus), to, layout, split)
        counts = ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in converted["counts"].items() if count
        )
        lines = [f"{converted['directory']}: {counts}", *(f"not written: {loss}" for loss in converted["lost"])]
        output.show(converted, "\n".join(lines))
