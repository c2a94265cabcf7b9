"""`check`: what would stop `preprocess`, found in the first rows."""

import json
from pathlib import Path

import pytest

from interestrec.config.loading import load_settings
from interestrec.stages.check import CheckFinding, check
from tests.generated import write_mind, write_shop

SHOP = """
version: 1
workspace: {root}/workspace
data:
  format: events
  root: {root}
  relevant_at: 0.5
  events: {{files: [events.csv], columns: {{user: user, item: item, time: time, event: kind}}}}
  items: {{files: [items.csv], columns: {{item: item, title: [name]}}}}
preprocess: {{intensity: {{weights: {{view: 0.2, purchase: 1.0}}}}}}
encoders: {{text: {{source: {encoder}}}}}
"""


@pytest.fixture
def shop(tmp_path: Path, tiny_encoder: Path) -> Path:
    write_shop(tmp_path)
    (tmp_path / "shop.yaml").write_text(SHOP.format(root=tmp_path, encoder=tiny_encoder))
    return tmp_path / "shop.yaml"


def found(config: Path, *overrides: str, rows: int = 100) -> dict[str, CheckFinding]:
    return {finding.subject: finding for finding in check(load_settings(config, overrides), rows)}


def test_a_sound_log_is_told_in_figures_and_nothing_is_written(shop: Path) -> None:
    findings = found(shop)
    assert [finding.error for finding in findings.values()] == [None] * 6
    assert findings["files"].sentence.startswith("2 found")
    # The header is a row of the file: 99 events of 100 lines; all 60 items.
    assert findings["rows"].sentence == "159 rows read: 60 items, 99 events; 0 malformed"
    assert set(findings["event types"].sentence.replace("(", " ").split()) >= {"view", "purchase"}
    assert findings["times"].sentence.startswith("2026-03-01")
    assert not (shop.parent / "workspace").exists()


def test_the_verified_run_must_be_there(shop: Path) -> None:
    finding = found(shop, "preprocess.split={method: none, verified: nowhere}")["verified run"]
    assert finding.error is not None
    assert "nowhere/model: no model here" in finding.sentence


@pytest.mark.parametrize(
    ("override", "subject", "status", "sentence"),
    [
        ("data.events.files=[absent.csv]", "files", 66, "no such file"),
        ("data.events.columns.user=usr", "rows", 65, "has no column 'usr'"),
        (
            "preprocess.intensity.weights={view: 0.2}",
            "event types",
            78,
            "the type is 'purchase'",
        ),
        ("data.events.columns.time=null", "times", 65, "have no time"),
        ("encoders.text.source=nowhere", "encoder", 66, "no tokenizer here"),
        ("data.events.where=[{column: kind, equals: sale}]", "rows", None, "(kind equals sale) keeps no row of 99"),
    ],
)
def test_what_would_stop_a_run(shop: Path, override: str, subject: str, status: int | None, sentence: str) -> None:
    finding = found(shop, override)[subject]
    assert sentence in finding.sentence
    assert (None if finding.error is None else finding.error.exit_status) == status


def test_only_the_first_rows_are_read(shop: Path) -> None:
    with (shop.parent / "events.csv").open("a") as file:
        file.write("broken\n")
    assert found(shop)["rows"].error is None
    assert found(shop, rows=10_000)["rows"].error is not None


def test_impressions_are_checked_too(tmp_path: Path, tiny_encoder: Path) -> None:
    write_mind(tmp_path)
    data = {"format": "mind", "root": str(tmp_path), "news": ["news.tsv"], "train": ["train.tsv"], "test": ["test.tsv"]}
    config = {
        "data": data,
        "preprocess": {"split": {"method": "given"}},
        "encoders": {"text": {"source": str(tiny_encoder)}},
    }
    (tmp_path / "news.yaml").write_text(json.dumps(config))
    findings = found(tmp_path / "news.yaml")
    assert findings["rows"].sentence == "240 rows read: 80 items, 160 impressions; 0 malformed"
    assert findings["event types"].sentence == "none: the log records what was shown"
