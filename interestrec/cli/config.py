"""Configuration commands: create a configuration, show the effective one, print its JSON Schema."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interestrec.cli.console import Output, session
from interestrec.cli.options import Config, Json, Log, Overrides, Workspace
from interestrec.core.errors import UsageError

if TYPE_CHECKING:
    from interestrec.inspection.draft_parts import DraftQuestion


def init(
    template: Annotated[
        str | None, typer.Argument(help="news, shop, social, yelp, goodreads, …; another word lists all")
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE|DIR", help="Look at this file or directory instead; repeatable"),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Further files for --from")] = None,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="File to write")] = Path("interestrec.yaml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; questions become comments")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that --from wrote")] = False,
    as_json: Json = False,
    log: Log = "text",
) -> None:
    """Write a commented configuration to start from.

    A template, or with --from one that is drafted from your own files: which file has the events, which column is the
    user, the item, the time. Every guess says how sure it is. On a terminal, what the files do not tell is asked.
    """
    with session("init", as_json, quiet=False, log=log) as output:
        if sources:
            named = [*sources, *([Path(template)] if template else []), *(more or [])]
            _draft(output, named, to, force, asks=not yes and not as_json)
            return
        if template is None or more or yes or force:
            raise UsageError(
                "name one template, such as news, or your own files by --from FILE, to which --yes and --force belong"
            )
        from interestrec.config.templates import write_template

        write_template(template, to)
        output.show({"file": str(to)}, f"wrote {to}; edit its data section, then: interestrec run --config {to}")


def _draft(output: Output, named: list[Path], to: Path, force: bool, asks: bool) -> None:
    """Draft a configuration from raw files, and print what was found."""
    from interestrec.core.printable import printable
    from interestrec.stages.draft import draft

    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    result = draft(named, to, force, _ask if asks and on_terminal else None)
    sentences = [*result.findings, *(f"Open: {question.sentence}" for question in result.questions)]
    steps = [f"interestrec check --config {to}", f"interestrec run --config {to}"]
    lines = [*sentences, "", f"wrote {to}; look at its comments, then:", *(f"  {step}" for step in steps)]
    questions = [{"about": question.key, "told": question.sentence} for question in result.questions]
    findings = [{"about": "found", "told": sentence} for sentence in result.findings]
    output.show({"file": str(to), "findings": findings, "questions": questions}, printable("\n".join(lines)))


def _ask(question: "DraftQuestion") -> str | None:
    """Ask on the terminal; an empty answer means that the person does not know."""
    from interestrec.core.choices import suggestion
    from interestrec.core.printable import printable

    answers = list(question.choices)
    print(printable(f"{question.sentence[0].upper()}{question.sentence[1:]}"), file=sys.stderr)
    for number, (answer, meaning) in enumerate(question.choices.items(), 1):
        print(printable(f"  {number}  {answer}{f': {meaning}' if meaning else ''}"), file=sys.stderr)
    while True:
        print(f"Number or name [{printable(question.default)}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        text = line.strip()
        if not text:
            return question.default if line else None
        if text in answers:
            return text
        if text.isdecimal() and 1 <= int(text) <= len(answers):
            return answers[int(text) - 1]
        print(printable(f"'{text}' is none of these{suggestion(text, answers)}"), file=sys.stderr)


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
