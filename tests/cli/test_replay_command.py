"""Options of `replay` take the place of keys of the section, and its result is printed as that of a stage."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from interestrec import pipeline
from interestrec.cli.app import app
from interestrec.stages.run import RunContext, StageResult
from interestrec.workspace.artifacts import Artifact

CONFIG = """
version: 1
data:
  format: events
  events: {files: [e.csv], columns: {user: u, item: i, time: t}, event: view}
  items: {files: [i.csv], columns: {item: i, title: [name]}}
encoders: {text: {source: encoder}}
replay: {window: 2d, tolerance: 0.05}
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunContext, int]]:
    """The calls of the pipeline that commands make; nothing is replayed."""
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    calls: list[tuple[RunContext, int]] = []

    def replay(context: RunContext, jobs: int) -> StageResult:
        calls.append((context, jobs))
        summary: dict[str, Any] = {"windows": 3, "findings": [{"sentence": "Refit at every window.", "better": None}]}
        return StageResult(Artifact("replay", tmp_path, "0af", {}), True, summary)

    monkeypatch.setattr(pipeline, "replay", replay)
    return calls


def test_options_override_keys_and_others_stay(asked: list[tuple[RunContext, int]]) -> None:
    options = ["--window", "12h", "--policy", "refit", "--policy", "small.yaml", "--windows", "4", "--jobs", "2"]
    result = CliRunner().invoke(app, ["replay", *options, "--start", "0.25"])
    assert result.exit_code == 0
    ((context, jobs),) = asked
    section = context.settings.replay
    assert (section.window, section.policies, section.windows) == ("12h", ["refit", "small.yaml"], 4)
    assert (section.start, section.tolerance, jobs) == (0.25, 0.05, 2)
    assert result.stdout == "replay: built  windows 3\nRefit at every window.\n"


def test_one_document_with_json(asked: list[tuple[RunContext, int]]) -> None:
    result = CliRunner().invoke(app, ["replay", "--json"])
    document = json.loads(result.stdout)
    assert (document["command"], document["stage"], document["summary"]["windows"]) == ("replay", "replay", 3)
    assert asked[0][0].settings.replay.window == "2d"


def test_a_length_that_cannot_be_read_is_named_by_its_option(asked: list[tuple[RunContext, int]]) -> None:
    result = CliRunner().invoke(app, ["replay", "--window", "soon"])
    assert result.exit_code == 78
    assert "replay.window" in result.stderr
    assert not asked
