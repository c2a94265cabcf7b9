"""init --from: what people bring becomes a configuration that reads it, and what is unsure is said."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from interestrec.config.loading import load_settings
from interestrec.core.errors import CannotCreateError, DataError, InputMissingError
from interestrec.inspection.draft_parts import DraftQuestion
from interestrec.stages.check import check
from interestrec.stages.draft import Ask, DraftResult, draft
from interestrec.stages.preprocess import run
from interestrec.stages.run import RunContext
from tests.formats.inputs import KINDS
from tests.inspection.raw_sets import SETS, title, write_csv


def drafted(directory: Path, ask: Ask | None = None) -> tuple[DraftResult, str]:
    result = draft([directory / "raw"], directory / "log.yaml", force=True, ask=ask)
    return result, (directory / "log.yaml").read_text(encoding="utf-8")


def at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


@pytest.mark.parametrize("name", sorted(SETS))
def test_the_draft_is_what_a_person_would_write(
    name: str, tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = SETS[name](tmp_path / "raw", random.Random(5))
    _, text = drafted(tmp_path)
    values = yaml.safe_load(text)
    assert {key: at(values, key) for key in expected} == expected
    settings = load_settings(tmp_path / "log.yaml", [f"encoders.text.source={tiny_encoder}"])
    assert [finding.sentence for finding in check(settings, 1000) if finding.error] == []
    assert run(RunContext(settings)).summary["items"] > 0


@pytest.mark.parametrize(
    "kind", ["mind", "movielens-csv", "movielens-plots", "amazon-2018", "amazon-2023", "recbole-users"]
)
def test_public_layouts_are_recognised(kind: str, tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "raw").mkdir()
    data = KINDS[kind](tmp_path / "raw", np.random.default_rng(5))
    drafted(tmp_path)
    settings = load_settings(tmp_path / "log.yaml", [f"encoders.text.source={tiny_encoder}"])
    assert settings.data.format == data["format"]
    assert set(settings.data.names) == {path.name for path in (tmp_path / "raw").iterdir()} - {"links.csv"} or (
        kind == "movielens-plots"
    )
    assert not [finding for finding in check(settings, 1000) if finding.error]


@pytest.mark.parametrize("name", ["yelp", "hm", "otto", "book_crossing"])
def test_published_names_are_recognised(name: str, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    KINDS[name](tmp_path / "raw", np.random.default_rng(5))
    drafted(tmp_path)
    settings = load_settings(tmp_path / "log.yaml")
    assert settings.data.format == name
    assert settings.data.root.resolve() == (tmp_path / "raw").resolve()


def test_impressions_and_histories(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    KINDS["impressions-parquet"](tmp_path / "raw", np.random.default_rng(5))
    for name in ("valid", "test"):
        (tmp_path / "raw" / f"{name}.parquet").unlink()
    _, text = drafted(tmp_path)
    values = yaml.safe_load(text)["data"]
    assert values["format"] == "impressions"
    assert values["columns"]["shown"] == "shown"
    assert values["columns"]["clicked"] == "clicked"
    assert values["columns"]["value"] == "seconds"


def two_visitors(directory: Path) -> None:
    SETS["shop"](directory / "raw", random.Random(5))


def test_what_is_open_is_a_comment(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    result, text = drafted(tmp_path)
    assert [question.key for question in result.questions] == ["user"]
    assert "# QUESTION: which column of log.csv is a user? (visitor_id; customer_id)" in text
    assert yaml.safe_load(text)["data"]["events"]["columns"]["user"] == "visitor_id"


def test_answers_are_taken_and_no_longer_open(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    asked: list[DraftQuestion] = []

    def ask(question: DraftQuestion) -> str:
        asked.append(question)
        return "customer_id"

    result, text = drafted(tmp_path, ask)
    assert [list(question.choices) for question in asked] == [["visitor_id", "customer_id"]]
    assert result.questions == []
    assert "QUESTION" not in text
    assert yaml.safe_load(text)["data"]["events"]["columns"]["user"] == "customer_id"
    assert "sure: you said so" in text


def test_the_order_of_day_and_month_is_asked(tmp_path: Path) -> None:
    SETS["swapped_dates"](tmp_path / "raw", random.Random(5))
    result, text = drafted(tmp_path)
    assert [question.key for question in result.questions] == ["date order"]
    assert "(%d/%m/%Y = the day first; %m/%d/%Y = the month first)" in text
    _, text = drafted(tmp_path, lambda _: "%m/%d/%Y")
    assert yaml.safe_load(text)["data"]["events"]["time_format"] == "%m/%d/%Y"


def test_who_does_not_know_is_asked_once(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    asked: list[str] = []
    _, text = drafted(tmp_path, lambda question: asked.append(question.key))
    assert asked == ["user"]
    assert "QUESTION" in text


def test_every_guess_says_how_sure_it_is(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    _, text = drafted(tmp_path)
    lines = text.splitlines()
    item = next(n for n, line in enumerate(lines) if line.strip().startswith("item: product_id"))
    assert "100.0% of its values are in column id of the items" in lines[item - 1] + lines[item]
    assert "sure: named like a price" in text
    assert "rows" in next(line for line in lines if "purchase: 1.0" in line)


def test_a_file_that_is_no_table_does_not_stop_the_others(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    (tmp_path / "raw" / "broken.csv").write_bytes(b"PK\x03\x04 not text")
    result, _ = drafted(tmp_path)
    assert any("broken.csv" in sentence for sentence in result.findings)


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    two_visitors(tmp_path)
    (tmp_path / "log.yaml").write_text("mine")
    with pytest.raises(CannotCreateError, match="--force"):
        draft([tmp_path / "raw"], tmp_path / "log.yaml", force=False, ask=None)
    assert (tmp_path / "log.yaml").read_text() == "mine"


def test_files_without_events_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "raw" / "items.csv", [("id", "title"), *((n, title(n)) for n in range(50))])
    with pytest.raises(DataError, match="none is a log of events"):
        drafted(tmp_path)
    with pytest.raises(InputMissingError, match="no such file"):
        draft([tmp_path / "nowhere.csv"], tmp_path / "x.yaml", force=False, ask=None)
    assert not (tmp_path / "log.yaml").exists()


def test_titles_in_other_scripts_ask_for_a_multilingual_encoder(tmp_path: Path) -> None:
    SETS["chinese_shop"](tmp_path / "raw", random.Random(5))
    result, text = drafted(tmp_path)
    assert "multilingual" in text
    assert any("not in Latin letters" in sentence for sentence in result.findings)
