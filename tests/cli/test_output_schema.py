"""The published schema of what commands print."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from interestrec.cli.console import write_document
from interestrec.cli.output_schema import FILTERS, OUTPUT_SCHEMA, SHAPES
from tests.documents import one_document

PUBLISHED = Path(__file__).parents[2] / "docs" / "output.schema.json"
BUILT = {"stage": "preprocess", "artifact": "w/corpus", "digest": "0af", "built": True, "summary": {"items": 4}}


def test_the_published_schema_is_ours() -> None:
    Draft202012Validator.check_schema(OUTPUT_SCHEMA)
    told = "write it anew: json.dumps(interestrec.cli.output_schema.OUTPUT_SCHEMA, indent=2)"
    assert PUBLISHED.read_text() == json.dumps(OUTPUT_SCHEMA, indent=2) + "\n", told


def test_every_command_has_a_shape() -> None:
    from typer.main import get_command

    from interestrec.cli.app import app

    commands = dict(get_command(app).commands)  # type: ignore[attr-defined]
    inner = commands.pop("config").commands
    assert {*SHAPES, *FILTERS} == {*commands, *(f"config {name}" for name in inner)}


@pytest.mark.parametrize(
    "values",
    [
        {"command": "preprocess", "status": "ok", **BUILT, "extra": 1},
        {"command": "preprocess", "status": "ok"},
        {"command": "preprocess", "status": "ok", **BUILT, "built": "yes"},
        {"command": "processing", "status": "ok", **BUILT},
        {"command": "preprocess", "status": "error", "error": "no", "exit_status": 0},
        {"command": "preprocess", "status": "error", "exit_status": 65},
    ],
)
def test_what_is_not_of_the_schema_is_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        one_document(json.dumps(values) + "\n")


def test_figures_that_are_not_finite_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    write_document({"command": "preprocess", "status": "ok", **BUILT, "summary": {"a": float("nan"), "b": [1e999]}})
    assert one_document(capsys.readouterr().out)["summary"] == {"a": None, "b": [None]}
