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
    assert [finding.error for finding in findings.values()] == [None] * 7
    assert findings["files"].sentence.startswith("2 found")
    # The header is a row of the file: 99 events of 100 lines; all 60 items.
    assert findings["rows"].sentence == "159 rows read: 60 items, 99 events; 0 malformed"
    assert set(findings["event types"].sentence.replace("(", " ").split()) >= {"view", "purchase"}
    assert findings["times"].sentence.startswith("2026-03-01")
    assert findings["corpus"].sentence.startswith("60 items, ")
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
            "corpus",
            78,
            "the type is 'purchase'",
        ),
        ("data.events.columns.time=null", "corpus", 65, "events.csv:2: no time (98 such row(s))"),
        ("encoders.text.source=nowhere", "encoder", 66, "no tokenizer here"),
        ("data.events.where=[{column: kind, equals: sale}]", "rows", 65, "(kind equals sale) keeps no row of 1,120"),
        ("data.items.columns.item=name", "corpus", 65, "none of 1,120 events has an item of the table of items"),
        ("preprocess.split={method: user_time, valid: 0.0001}", "corpus", 65, "the valid split is empty"),
        ("preprocess.intensity.weights={view: 0.2, purchase: 0.4}", "corpus", 65, "no train event is positive"),
        ("data.items.columns.title=[kind]", "rows", 65, "has no column 'kind'"),
    ],
)
def test_what_would_stop_a_run(shop: Path, override: str, subject: str, status: int | None, sentence: str) -> None:
    finding = found(shop, override)[subject]
    assert sentence in finding.sentence
    assert (None if finding.error is None else finding.error.exit_status) == status


def write_apart(root: Path, items: int) -> None:
    """Events of the last items of a table of items alone."""
    (root / "items.csv").write_text("item,name\n" + "".join(f"{n},the game\n" for n in range(items)))
    rows = [f"u{n % 5},{items - 1 - n % 7},2026-03-01T09:{n % 60:02},purchase" for n in range(50)]
    (root / "events.csv").write_text("\n".join(["user,item,time,kind", *rows]) + "\n")


def test_first_rows_that_do_not_meet_are_looked_at_again_and_then_doubted(shop: Path) -> None:
    write_apart(shop.parent, 60)
    assert found(shop, rows=5)["corpus"].error is None  # five rows do not meet, 500 do
    write_apart(shop.parent, 900)
    finding = found(shop, rows=5)["corpus"]
    assert (finding.error, finding.is_warning) == (None, True)
    assert finding.sentence.startswith("in the first 500 rows of each file, none of 50 events has an item")
    assert found(shop, rows=1_000)["corpus"].sentence.startswith("900 items")


def test_times_that_are_no_times_are_a_warning(shop: Path) -> None:
    text = (shop.parent / "events.csv").read_text()
    (shop.parent / "events.csv").write_text(text.replace("2026-", "1970-"))
    findings = check(load_settings(shop, []), 10_000)
    [warning] = [finding.sentence for finding in findings if finding.is_warning]
    assert "times (100%) lie outside the years 1990 to" in warning
    rows = [f"u{n % 7},sku-{n % 9},2026-03-01,purchase" for n in range(50)]
    (shop.parent / "events.csv").write_text("\n".join(["user,item,time,kind", *rows]) + "\n")
    findings = check(load_settings(shop, []), 10_000)
    assert [finding.subject for finding in findings if finding.is_warning] == ["warning"]
    assert "times are equal" in findings[-1].sentence
    [error] = [finding.error for finding in findings if finding.error]
    assert "split is empty" in str(error)


def test_what_is_read_but_not_as_it_was_meant_is_a_warning(shop: Path) -> None:
    text = (shop.parent / "items.csv").read_text()
    header, *rows = text.splitlines()
    place = header.split(",").index("name")
    cells = [row.split(",") for row in rows]
    for row in cells[:20]:
        row[place] = "\u0e41\u0e01\u0e49\u0e27"
    (shop.parent / "items.csv").write_text("\n".join([header, *map(",".join, cells)]) + "\n")
    finding = found(shop)["warning"]
    assert finding.is_warning
    assert "does not know Thai (100 % of 60 characters, in 20 items); 20 of 60 items" in finding.sentence


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
