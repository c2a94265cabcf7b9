"""convert: what other tools read equals what our readers read, and nothing is replaced or lost unsaid."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from interestrec.config.loading import load_settings
from interestrec.config.settings import Settings
from interestrec.core.errors import CannotCreateError, ConfigError, DataError
from interestrec.corpus.store import Corpus
from interestrec.formats.item_codes import code_items
from interestrec.io import files
from interestrec.rawfiles.raw_log import RawLog
from interestrec.stages import convert, preprocess
from interestrec.stages.run import RunContext
from tests.formats.inputs import KINDS, settings_of

Row = tuple[Any, ...]


def converted(settings: Settings, to: Path, target: str, by_split: bool = False, force: bool = False) -> dict[str, Any]:
    return convert.run(RunContext(settings, force), to, target, by_split)


def logged(settings: Settings) -> list[Row]:
    """The events of the log, clicks included, in order: user, item, seconds, value."""
    log = RawLog(settings.data.root)
    preprocess.read(log, settings)
    code_items(log)
    return log.sql(
        "SELECT user_id, item_id, epoch_us(time) / 1e6, value, ord, 0 FROM events UNION ALL "
        "SELECT user_id, item_id, epoch_us(time) / 1e6, amount, c.ord, place FROM clicks c "
        "JOIN impressions USING (ord) JOIN item_codes USING (item) ORDER BY 5, 6"
    )


def as_rows(table: pd.DataFrame, user: str, item: str) -> list[Row]:
    """The same columns of a written table, nothing where the table has no such column."""
    columns = [table[name] if name in table else [None] * len(table) for name in (user, item, "timestamp", "rating")]
    return [
        tuple(None if not isinstance(value, str) and pd.isna(value) else value for value in row)
        for row in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_pandas_reads_what_our_reader_reads(kind: str, tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "raw").mkdir()
    data = KINDS[kind](tmp_path / "raw", np.random.default_rng(7))
    settings = settings_of(tmp_path, data, tiny_encoder)
    expected = [row[:4] for row in logged(settings)]
    texts = {"user_id:token": str, "item_id:token": str, "user": str, "item": str}

    converted(settings, tmp_path / "set", "recbole")
    inter = pd.read_csv(tmp_path / "set" / "set.inter", sep="\t", dtype=texts)
    inter.columns = [name.partition(":")[0] for name in inter.columns]
    assert as_rows(inter, "user_id", "item_id") == expected

    converted(settings, tmp_path / "csv", "lenskit")
    ratings = pd.read_csv(tmp_path / "csv" / "ratings.csv", dtype=texts)
    assert as_rows(ratings, "user", "item") == expected

    converted(settings, tmp_path / "tables", "parquet")
    events = pq.read_table(tmp_path / "tables" / "events.parquet").to_pandas()
    events["timestamp"] = events["time"].map(lambda time: None if pd.isna(time) else time.timestamp())
    assert as_rows(events.rename(columns={"value": "rating"}), "user_id", "item_id") == expected
    assert json.loads((tmp_path / "tables" / "conversion.json").read_text())["counts"]["events"] == len(expected)


def shop(directory: Path, encoder: Path, events: list[Row], items: list[Row], **changes: Any) -> Settings:
    """Settings of two CSV files that the csv module writes."""
    raw = directory / "raw"
    raw.mkdir(exist_ok=True)
    tables = {"e": (["user", "item", "time", "stars", "kind"], events), "i": (["id", "name", "price"], items)}
    for name, (header, rows) in tables.items():
        with (raw / f"{name}.csv").open("w", newline="") as target:
            csv.writer(target).writerows([header, *rows])
    columns = {"user": "user", "item": "item", "time": "time", "value": "stars", "event": "kind"}
    data = {
        "format": "events",
        "events": {"files": ["e.csv"], "columns": columns},
        "items": {"files": ["i.csv"], "columns": {"item": "id", "title": ["name"], "price": "price"}},
    }
    return settings_of(
        directory, data | changes, encoder, {"split": {"method": "user_time", "valid": 0.2, "test": 0.2}}
    )


EVENTS = [
    ("u1", "a", "2026-05-01T09:00:00Z", 4.5, "view"),
    ("u1", "b", "2026-05-01T09:00:00.25Z", "", "view"),
    ("u2", "gone", "1969-12-31T23:59:58.5Z", 1, "buy"),
]
ITEMS = [("a", 'one\ttwo\nthree "four"', 9.5), ("b", '"quoted" first', "")]


def test_files_by_hand(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = shop(tmp_path, tiny_encoder, EVENTS, ITEMS)
    found = converted(settings, tmp_path / "x", "recbole")
    assert (tmp_path / "x" / "x.inter").read_text() == (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\tevent:token\n"
        "u1\ta\t4.5\t1777626000\tview\nu1\tb\t\t1777626000.25\tview\nu2\tgone\t1.0\t-1.5\tbuy\n"
    )
    assert (tmp_path / "x" / "x.item").read_text() == (
        'item_id:token\ttitle:token_seq\tprice:float\na\tone two three "four"\t9.5\nb\t\'quoted" first\t\n'
    )
    assert found["counts"]["events_of_unknown_items"] == 1
    rules = {rule["rule"]: rule for rule in json.loads((tmp_path / "x" / "conversion.json").read_text())["rules"]}
    assert rules["events of unknown items"]["examples"] == ["gone (1)"]
    changed = rules["values changed for RecBole"]
    assert changed["reason"].startswith("2 values of title")
    assert changed["rows_in"] == changed["rows_out"] == 2
    converted(settings, tmp_path / "y", "lenskit")
    with (tmp_path / "y" / "items.csv").open(newline="") as source:
        rows = list(csv.reader(source))
    assert rows == [["item", "title", "price"], ["a", ITEMS[0][1], "9.5"], ["b", ITEMS[1][1], ""]]


def test_our_reader_reads_recboles_files_back(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = shop(tmp_path, tiny_encoder, EVENTS[:2], [("a", "one", 9.5), ("b", "two", "")])
    converted(settings, tmp_path / "back", "recbole")
    fields = {"format": "recbole", "inter": "back.inter", "item": "back.item", "value": "rating", "title": ["title"]}
    again = settings_of(tmp_path, {**fields, "root": str(tmp_path / "back")}, tiny_encoder)
    assert [row[:4] for row in logged(again)] == [row[:4] for row in logged(settings)]


def test_ids_that_would_become_one_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    events = [("u\t1", "a", 1, 1, "view"), ("u 1", "a", 2, 1, "view")]
    settings = shop(tmp_path, tiny_encoder, events, ITEMS)
    with pytest.raises(DataError, match="1 ids in user_id differ only by tabs"):
        converted(settings, tmp_path / "x", "recbole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "raw"]
    converted(settings, tmp_path / "x", "lenskit")


def many() -> list[Row]:
    """Ten events of each of twelve users."""
    return [
        (f"u{user}", "ab"[(user + n) % 2], 1_500_000_000 + 100 * n + user, 1 + n % 5, "view")
        for user in range(12)
        for n in range(10)
    ]


def test_the_split_is_that_of_the_corpus(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = shop(tmp_path, tiny_encoder, [*many(), many()[0]], ITEMS)
    corpus = Corpus(preprocess.run(RunContext(settings)).artifact.path, None)
    expected = corpus.events.to_pandas()
    converted(settings, tmp_path / "x", "recbole", by_split=True)
    converted(settings, tmp_path / "y", "lenskit", by_split=True)
    for split, part in expected.groupby("split", observed=True):
        inter = pd.read_csv(tmp_path / "x" / f"x.{split}.inter", sep="\t", dtype=str)
        assert inter["user_id:token"].tolist() == part["user_id"].tolist()
        assert inter["item_id:token"].tolist() == part["item_id"].tolist()
        assert inter["intensity:float"].astype(float).tolist() == part["intensity"].tolist()
        ratings = pd.read_csv(tmp_path / "y" / f"ratings.{split}.csv")
        assert ratings["timestamp"].tolist() == [round(time.timestamp()) for time in part["time"]]
    converted(settings, tmp_path / "z", "parquet", by_split=True)
    events = pq.read_table(tmp_path / "z" / "events.parquet").to_pandas()
    assert len(events) == 120  # the repeated event is left out
    assert events["split"].tolist() == expected["split"].tolist()
    assert not (tmp_path / "x" / "x.inter").exists()


def test_logged_histories_are_left_out_and_counted(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "raw").mkdir()
    settings = settings_of(tmp_path, KINDS["mind"](tmp_path / "raw", np.random.default_rng(3)), tiny_encoder)
    corpus = Corpus(preprocess.run(RunContext(settings)).artifact.path, None)
    histories = int((corpus.events.to_pandas()["event"] == "history").sum())
    converted(settings, tmp_path / "x", "recbole", by_split=True)
    rules = {rule["rule"]: rule for rule in json.loads((tmp_path / "x" / "conversion.json").read_text())["rules"]}
    assert rules["history entries"]["rows_in"] - rules["history entries"]["rows_out"] == histories > 0


def test_impressions_keep_what_was_shown(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "raw").mkdir()
    settings = settings_of(tmp_path, KINDS["mind"](tmp_path / "raw", np.random.default_rng(3)), tiny_encoder)
    found = converted(settings, tmp_path / "x", "lenskit")
    first = (tmp_path / "raw" / "train.tsv").read_text().splitlines()[0].split("\t")
    row = pq.read_table(tmp_path / "x" / "impressions.parquet").to_pylist()[0]
    assert (row["impression_id"], row["user_id"], row["split"]) == (first[0], first[1], "train")
    assert " ".join(f"{item}-{label}" for item, label in zip(row["shown"], row["labels"], strict=True)) == first[4]
    assert any("not clicked" in loss for loss in found["lost"])


@pytest.mark.parametrize("by_split", [False, True])
def test_further_columns_of_items_are_said_to_be_lost(tmp_path: Path, tiny_encoder: Path, by_split: bool) -> None:
    (tmp_path / "raw").mkdir()
    data = KINDS["events-csv"](tmp_path / "raw", np.random.default_rng(3))
    data["items"]["attributes"] = ["about"]  # type: ignore[index]
    settings = settings_of(tmp_path, data, tiny_encoder)
    preprocess.run(RunContext(settings))
    found = converted(settings, tmp_path / "x", "parquet", by_split=by_split)
    assert found["lost"] == ["further columns of items (`data.items.attributes`) are not written"]


def test_only_an_earlier_conversion_is_replaced_and_only_by_force(tmp_path: Path, tiny_encoder: Path) -> None:
    settings = shop(tmp_path, tiny_encoder, EVENTS, ITEMS)
    converted(settings, tmp_path / "x", "recbole")
    with pytest.raises(CannotCreateError, match="--force"):
        converted(settings, tmp_path / "x", "lenskit")
    converted(settings, tmp_path / "x", "lenskit", force=True)
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["conversion.json", "items.csv", "ratings.csv"]
    with pytest.raises(CannotCreateError, match="not written by convert"):
        converted(settings, tmp_path / "raw", "lenskit", force=True)
    assert (tmp_path / "raw" / "e.csv").exists()
    with pytest.raises(ConfigError, match="unknown layout 'recbol'"):
        converted(settings, tmp_path / "y", "recbol")


def test_forgotten_users_and_pseudonyms(tmp_path: Path, tiny_encoder: Path) -> None:
    from interestrec.workspace.forgotten import add_forgotten

    settings = shop(tmp_path, tiny_encoder, EVENTS, ITEMS)
    add_forgotten(settings.workspace, ["u1"])
    converted(settings, tmp_path / "x", "lenskit")
    assert pd.read_csv(tmp_path / "x" / "ratings.csv")["user"].tolist() == ["u2"]
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    hidden = load_settings(tmp_path / "config.yaml", [f"preprocess.pseudonym_key={key}"])
    converted(hidden, tmp_path / "y", "parquet")
    [user] = pq.read_table(tmp_path / "y" / "events.parquet")["user_id"].to_pylist()
    assert len(user) == 32
    assert "gone" not in (tmp_path / "y" / "conversion.json").read_text()


def test_an_encryption_key_allows_no_text_files(tmp_path: Path, tiny_encoder: Path) -> None:
    shop(tmp_path, tiny_encoder, EVENTS, ITEMS)
    settings = load_settings(tmp_path / "config.yaml", ["runtime.encryption_key=key"])
    with pytest.raises(ConfigError, match="cannot be encrypted"):
        converted(settings, tmp_path / "x", "recbole")


def test_nothing_stays_of_a_failed_conversion(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop(tmp_path, tiny_encoder, EVENTS, ITEMS)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_json", fail)
    with pytest.raises(Exception, match="No space left"):
        converted(settings, tmp_path / "x", "parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "raw"]
