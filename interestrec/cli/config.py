"""Configuration commands: create a configuration, show the effective one, print its JSON Schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

from interestrec.cli.console import session
from interestrec.cli.options import Config, Json, Log, Overrides, Workspace


def init(
    template: Annotated[str, typer.Argument(help="news, shop, social, yelp, goodreads, …; another word lists all")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="File to write")] = Path("interestrec.yaml"),
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Write a commented configuration to start from."""
    with session("init", as_json, quiet=False, log=log) as output:
        from interestrec.config.templates import write_template

        write_template(template, to)
        output.show({"file": str(to)}, f"wrote {to}; edit its data section, then: interestrec run --config {to}")


def show(
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = None,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Print every key with its value and origin, as YAML.

    The output is itself a configuration.
    """
    with session("config show", as_json, quiet=False, log=log) as output:
        from interestrec.config.loading import (
            dump_effective,
            find_config,
            load_effective,
            setting_origins,
            settings_hash,
        )

        effective = load_effective(find_config(config), overrides or [], workspace)
        settings, origins = effective.settings.model_dump(mode="json"), setting_origins(effective)
        values = {"settings": settings, "origins": origins, "hash": settings_hash(effective.settings)}
        output.show(values, dump_effective(effective).rstrip())


def schema(as_json: Json = False, log: Log = "text") -> None:
    """Print the JSON Schema of the configuration."""
    with session("config schema", as_json, quiet=False, log=log) as output:
        from interestrec.config.loading import settings_schema

        document = settings_schema()
        output.show({"schema": document}, json.dumps(document, indent=2, ensure_ascii=False))
