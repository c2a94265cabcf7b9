"""Export commands: item vectors as a file, a log as files of other tools, and the model for another runtime."""

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
    On,
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
    on: On = None,
) -> None:
    """Export item vectors as a Parquet file."""
    with session("encode", as_json, quiet, log) as output:
        from interestrec import pipeline

        if model is not None and encoder is not None:
            raise UsageError("--encoder and --model exclude each other; use only one of them")
        run_context = context(
            config, overrides, workspace, force=False, on=on, corpus=corpus, encoder=encoder, model=model
        )
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


def export(
    to: Annotated[str, typer.Option("--to", metavar="savedmodel|onnx|litert", help="Runtime to write for")],
    out: Annotated[Path, path_option("--out", "Directory to create")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Store weights as 8-bit integers (onnx); fails if lists get worse by 0.5 %")
    ] = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Annotated[Path | None, path_option("--model", "Export this model")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier export wrote there")] = False,
) -> None:
    """Write the trained model for another runtime.

    It comes with scripts that run it there. Before the directory appears, scores, lists and text vectors are compared
    in that runtime with those of the model.
    """
    with session("export", as_json, quiet, log) as output:
        from interestrec import pipeline

        run_context = context(config, overrides, workspace, force, corpus=corpus, encoder=encoder, model=model)
        done = pipeline.export_model(run_context, out, to, int8)
        checks = {name: found for name, found in done["checked"].items() if name != "int8"}
        lines = [
            f"{done['directory']}: {', '.join(done['graphs'])} with {done['items']:,} items",
            *(
                f"{name}: {one['values']:,} values differ by {one['difference']:.1e} at most"
                for name, one in checks.items()
            ),
        ]
        if loss := done["checked"].get("int8"):
            interval = f"95 % interval {loss['low']:.2%} to {loss['high']:.2%}"
            lines.append(f"int8: ndcg@10 falls by {loss['loss']:.2%} ({interval}) over {loss['users']:,} test users")
        output.show(done, "\n".join(lines))
