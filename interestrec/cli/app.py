"""The command line application: registers the commands and defines the entry point."""

import os
import sys
from typing import Annotated

import typer

from interestrec import __version__
from interestrec.cli import (
    answer_commands,
    config,
    download,
    explain_command,
    export_commands,
    inspect,
    learning_commands,
    serve_command,
    stage_commands,
    workspace,
)
from interestrec.cli.entry import command_process, open_standard_streams
from interestrec.core import interrupts

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
    # Set before any stage imports TensorFlow or transformers, whose log lines do not concern users.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.umask(0o077)  # models contain personal data, so only the owner may read files
    interrupts.install()
    if sys.argv[1:] == ["--help"]:
        _leave_out_options()
    with command_process() as process:
        process.status = app(standalone_mode=False)


def _leave_out_options() -> None:
    """Replace commands by such without options, for the list of commands; reading their options takes most of it."""
    for command in app.registered_commands:
        function = command.callback

        def listed() -> None: ...

        listed.__name__, listed.__doc__ = function.__name__, function.__doc__  # type: ignore[union-attr]
        command.callback = listed


def _print_version(requested: bool) -> None:
    if requested:
        print(f"interestrec {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def _root(version: Version = False) -> None:
    """Options before the name of the command."""


_RANK_EXAMPLES = "interestrec rank --config news.yaml; interestrec rank --as-of now --users premium.txt --shard 3/16"
_RECOMMEND_EXAMPLES = (
    "interestrec recommend --config shop --user u17 -k 5 --why; "
    'interestrec recommend --history "sku-4,sku-9:purchase@2026-11-01" --exclude-kinds purchase; '
    "interestrec recommend --like sku-4 --filter category=kitchen; interestrec recommend --for-item sku-4 --users all; "
    "interestrec recommend --requests - < requests.jsonl"
)
_EVALUATE_EXAMPLES = (
    "interestrec evaluate --config news.yaml --json | jq .summary; "
    'interestrec evaluate --require "auc>=0.62" --require "cold_items/auc>=0.6" --not-worse-than accepted; '
    "interestrec evaluate --seeds seed-1 --seeds seed-2 --seeds seed-3"
)
_FETCH_EXAMPLES = (
    "interestrec fetch; interestrec fetch minilm-l6; interestrec fetch ml-100k; "
    "interestrec fetch sentence-transformers/all-MiniLM-L6-v2 --revision COMMIT"
)
_CONVERT_EXAMPLES = (
    "interestrec convert --config my-shop.yaml --as recbole --to converted/my-shop; "
    "interestrec convert --config my-shop.yaml --as lenskit --split --to converted/my-shop-split"
)
_EXPORT_EXAMPLES = (
    "interestrec export --config shop --to onnx --out exports/shop; "
    "interestrec export --to onnx --int8 --out exports/shop-small; interestrec export --to litert --out exports/phone"
)
_INIT_EXAMPLES = (
    "interestrec init news --to news.yaml; interestrec init --from orders.csv --from products.csv; "
    "interestrec init --from data/my-shop --to my-shop.yaml --yes"
)
_REPLAY_EXAMPLES = (
    "interestrec replay --config shop --window 1w --windows 8; "
    "interestrec replay --config shop --policy refit --policy frozen --policy small.yaml --jobs 3"
)
_SHOW_EXAMPLE = "Example: interestrec config show --config news.yaml --set seed=7"

# `--help` lists the commands in this order.
app.command(epilog="Example: interestrec preprocess --config news.yaml --set seed=7")(stage_commands.preprocess)
app.command(epilog="Example: interestrec pretrain-adapt --config news.yaml --set pretrain_adapt.steps=500")(
    stage_commands.pretrain_adapt
)
app.command(epilog="Example: interestrec finetune --config news.yaml --set finetune.trainable_layers=2")(
    stage_commands.finetune
)
app.command(epilog=f"Examples: {_RANK_EXAMPLES}")(stage_commands.rank)
app.command(epilog=f"Examples: {_EVALUATE_EXAMPLES}")(stage_commands.evaluate)
app.command(epilog="Example: interestrec run --config quickstart.yaml")(stage_commands.run)
app.command(epilog=f"Examples: {_RECOMMEND_EXAMPLES}")(answer_commands.recommend)
app.command(epilog="Example: interestrec explain --config shop --user u17 --item sku-4 -k 5 --words")(
    explain_command.explain
)
app.command(
    epilog="Examples: interestrec update --config shop --events today.csv; interestrec update --config shop --events "
    "new/ --quiet; interestrec forget --config shop --user u17 && interestrec update --config shop"
)(answer_commands.update)
app.command(epilog=f"Examples: {_REPLAY_EXAMPLES}")(learning_commands.replay)
app.command(
    epilog="Examples: interestrec tune --config shop --budget 2h; interestrec tune --config news.yaml --budget "
    "60trials --systems all; interestrec tune --budget 30trials --json | jq -r .summary.configuration"
)(learning_commands.tune)
app.command(
    epilog="Examples: interestrec serve --config shop; interestrec serve --config shop --port 0 --set "
    "serve.update_seconds=300; interestrec serve --config shop --host 0.0.0.0 --set serve.token_file=tokens.txt"
)(serve_command.serve)
app.command(epilog="Example: interestrec encode --config news.yaml --to vectors.parquet")(export_commands.encode)
app.command(epilog=f"Examples: {_CONVERT_EXAMPLES}")(export_commands.convert)
app.command(epilog=f"Examples: {_EXPORT_EXAMPLES}")(export_commands.export)
app.command(epilog="Example: interestrec status --config news.yaml --json | jq '.stages[].state'")(workspace.status)
app.command(epilog="Example: interestrec prune --config news.yaml --retention-days 30 --dry-run")(workspace.prune)
app.command(epilog="Example: interestrec describe --config news.yaml")(inspect.describe)
app.command(epilog="Example: interestrec inspect --config news.yaml --user u17 --limit 5")(inspect.inspect)
app.command(epilog="Example: interestrec check --config news.yaml --rows 1000")(inspect.check)
app.command(epilog=f"Examples: {_INIT_EXAMPLES}")(config.init)
app.command(epilog="Example: interestrec forget --config news.yaml --users leavers.txt")(workspace.forget)
app.command(epilog="Example: interestrec pseudonym --config news.yaml < ids > pseudonyms")(workspace.pseudonym)
app.command(epilog=f"Examples: {_FETCH_EXAMPLES}")(download.fetch)
config_app.command("show", epilog=_SHOW_EXAMPLE)(config.show)
config_app.command("schema", epilog="Example: interestrec config schema > interestrec.schema.json")(config.schema)
