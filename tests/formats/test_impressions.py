"""Impressions with list columns, as EB-NeRD has them and as JSON lines."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.formats.impressions import ImpressionsData, read
from interestrec.rawfiles.raw_log import RawLog

ITEMS = {
    "files": ["articles.parquet"],
    "columns": {"item": "article_id", "title": ["title"], "text": ["body"], "published": "published_time"},
}
EBNERD = {
    **{"user": "user_id", "shown": "article_ids_inview", "impression": "impression_id", "time": "impression_time"},
    **{"clicked": "article_ids_clicked", "value": "next_read_time"},
}
HISTORY = {
    **{"train": ["history.parquet"], "valid": [], "test": []},
    "columns": {
        **{"user": "user_id", "items": "article_id_fixed"},
        **{"times": "impression_time_fixed", "values": "read_time_fixed"},
    },
}
NOON = datetime(2023, 5, 21, 12)
LONG = pa.large_list(pa.int32())


def write_ebnerd(directory: Path, past: list[dict[str, Any]] | None = None) -> None:
    """Three impressions, two users with a history, three articles; 104 is shown and has no article."""
    shown = pa.array([[101, 102], [103, 101, 104], [102]], LONG)
    table = {
        "impression_id": pa.array([1, 2, 3], pa.uint32()),
        "user_id": pa.array([7, 8, 9], pa.uint32()),
        "impression_time": pa.array([NOON] * 3, pa.timestamp("us")),
        "article_ids_inview": shown,
        "article_ids_clicked": pa.array([[102], [103, 104], []], LONG),
        "next_read_time": pa.array([12.5, np.nan, np.nan], pa.float32()),
    }
    pq.write_table(pa.table(table), directory / "behaviors.parquet")
    rows = past or [
        {"user_id": 7, "ids": [101, 104, 103], "times": [NOON] * 3, "spent": [3.0, 4.0, float("nan")]},
        {"user_id": 8, "ids": [104], "times": [NOON], "spent": [1.0]},
    ]
    names = ["user_id", "article_id_fixed", "impression_time_fixed", "read_time_fixed"]
    kinds = [pa.uint32(), LONG, pa.large_list(pa.timestamp("us")), pa.large_list(pa.float32())]
    columns = [pa.array([list(row.values())[n] for row in rows], kind) for n, kind in enumerate(kinds)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), directory / "history.parquet")
    articles = {
        "article_id": pa.array([101, 102, 103], pa.int32()),
        "title": ["One", "Two", "Three"],
        "body": ["b", None, ""],
        "published_time": pa.array([NOON, None, NOON], pa.timestamp("us")),
    }
    pq.write_table(pa.table(articles), directory / "articles.parquet")


def section(directory: Path, train: str, **changes: Any) -> ImpressionsData:
    return ImpressionsData(format="impressions", root=directory, train=[train], **changes)


def ebnerd(directory: Path, tolerated: int = 0, **changes: Any) -> RawLog:
    log = RawLog(directory)
    usual: dict[str, Any] = {"columns": EBNERD, "history": HISTORY, "items": ITEMS}
    read(log, section(directory, "behaviors.parquet", max_bad_rows=tolerated, **{**usual, **changes}))
    return log


def json_lines(directory: Path, rows: list[dict], tolerated: int = 0, **columns: str) -> RawLog:
    (directory / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = RawLog(directory)
    mapping = {"user": "user", "shown": "shown", **columns}
    read(log, section(directory, "a.jsonl", max_bad_rows=tolerated, columns=mapping))
    return log


def names(log: RawLog, column: str, table: str, order: str) -> list[Any]:
    """Lists of item codes as ids."""
    ids = dict(log.sql("SELECT item, item_id FROM item_codes"))
    rows = log.sql(f"SELECT {column} FROM {table} ORDER BY {order}")
    return [row[0] and [ids[code] for code in row[0]] for row in rows]


def rule(log: RawLog, name: str) -> dict[str, Any]:
    return next(entry for entry in log.quality.rules if entry["rule"] == name)


def test_ebnerd(tmp_path: Path) -> None:
    write_ebnerd(tmp_path)
    log = ebnerd(tmp_path)
    assert log.sql("SELECT item_id, title, text, published FROM items ORDER BY ord") == [
        ("101", "One", "b", NOON),
        ("102", "Two", "", None),
        ("103", "Three", "", NOON),
    ]
    assert log.sql("SELECT impression_id, user_id, time, split, labels FROM impressions ORDER BY ord") == [
        ("1", "7", NOON, "train", [0, 1]),
        ("2", "8", NOON, "train", [1, 0]),
        ("3", "9", NOON, "train", [0]),
    ]
    assert names(log, "shown", "impressions", "ord") == [["101", "102"], ["103", "101"], ["102"]]
    assert rule(log, "unresolved candidates")["examples"] == ["104 (1)"]
    assert log.sql("SELECT place, amount FROM clicks ORDER BY ord") == [(1, 12.5), (0, None)]


def test_history_of_a_table_keeps_times_and_values_of_known_items(tmp_path: Path) -> None:
    write_ebnerd(tmp_path)
    log = ebnerd(tmp_path)
    assert names(log, "items", "segments", "segment") == [["101", "103"]]
    assert log.sql("SELECT user_id, times, amounts FROM segments") == [("7", [NOON, NOON], [3.0, None])]
    assert log.sql(
        "SELECT user_id FROM impressions JOIN impression_segments USING (ord) JOIN segments USING (segment, user_id)"
    ) == [("7",)]
    assert rule(log, "unresolved history entries")["rows_in"] == 4
    assert rule(log, "unresolved history entries")["rows_out"] == 2


def test_a_missing_list_of_one_user_leaves_those_of_others(tmp_path: Path) -> None:
    past = [
        {"user_id": 7, "ids": [101], "times": None, "spent": [3.0]},
        {"user_id": 8, "ids": [102], "times": [NOON], "spent": None},
    ]
    write_ebnerd(tmp_path, past)
    found = ebnerd(tmp_path).sql("SELECT user_id, times, amounts FROM segments ORDER BY segment")
    assert found == [("7", [None], [3.0]), ("8", [NOON], [None])]


def test_a_second_history_of_a_user_does_not_repeat_impressions(tmp_path: Path) -> None:
    past = [{"user_id": 7, "ids": [item], "times": [NOON], "spent": [3.0]} for item in (102, 101)]
    write_ebnerd(tmp_path, past)
    log = ebnerd(tmp_path)
    assert log.rows("impressions") == 3
    counted = rule(log, "repeated histories")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (2, 1, ["history.parquet:2"])
    found = log.sql("SELECT items FROM impressions JOIN impression_segments USING (ord) JOIN segments USING (segment)")
    assert found == log.sql("SELECT [item] FROM item_codes WHERE item_id = '102'")


def test_uneven_histories_are_bad_rows(tmp_path: Path) -> None:
    write_ebnerd(tmp_path, [{"user_id": 7, "ids": [101, 102], "times": [NOON], "spent": [1.0, 2.0]}])
    with pytest.raises(DataError, match=r"history\.parquet:1: times or values are not as many as items"):
        ebnerd(tmp_path)
    assert ebnerd(tmp_path, tolerated=1).rows("segments") == 0


def test_without_a_table_of_items_every_id_is_one(tmp_path: Path) -> None:
    write_ebnerd(tmp_path)
    log = ebnerd(tmp_path, items=None)
    assert log.sql("SELECT item_id, title FROM items ORDER BY ord") == [(str(n), "") for n in range(101, 105)]
    assert rule(log, "bad rows")["rows_in"] == 5  # three impressions, two histories: read twice, counted once
    assert names(log, "items", "segments", "segment") == [["101", "104", "103"], ["104"]]


def test_whole_lists_of_floats_are_the_same_ids(tmp_path: Path) -> None:
    rows = [{"user": 1.0, "shown": [13085.0, 7.0], "clicked": [7.0]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    log = RawLog(tmp_path)
    read(log, section(tmp_path, "a.parquet", columns={"user": "user", "shown": "shown", "clicked": "clicked"}))
    assert names(log, "shown", "impressions", "ord") == [["13085", "7"]]
    assert log.sql("SELECT user_id, labels FROM impressions") == [("1", [0, 1])]


def test_json_lines_with_labels_and_a_history(tmp_path: Path) -> None:
    rows = [
        {"user": 1, "shown": ["a", "b", "c"], "labels": [0, 2.5, -1], "history": ["c", "a"], "time": 60},
        {"user": "2", "shown": ["a"], "labels": [1], "history": [], "time": None},
        {"user": "2", "shown": ["b"], "labels": ["0"], "history": None, "time": "1970-01-01T00:02:00Z"},
    ]
    log = json_lines(tmp_path, rows, labels="labels", history="history", time="time")
    assert log.sql("SELECT impression_id, user_id, time, labels FROM impressions ORDER BY ord") == [
        ("1", "1", datetime(1970, 1, 1, 0, 1), [0, 1, 0]),
        ("2", "2", None, [1]),
        ("3", "2", datetime(1970, 1, 1, 0, 2), [0]),
    ]
    assert log.sql("SELECT user_id FROM segments") == [("1",)]
    assert names(log, "items", "segments", "segment") == [["c", "a"]]
    assert rule(log, "one-class impressions")["reason"].endswith("need two: 2")


def test_an_empty_id_in_a_list_is_an_unknown_item(tmp_path: Path) -> None:
    log = json_lines(tmp_path, [{"user": 1, "shown": ["a", None, "b"], "clicked": ["a", None]}], clicked="clicked")
    assert log.sql("SELECT labels FROM impressions") == [([1, 0],)]
    assert rule(log, "unresolved candidates")["rows_in"] - rule(log, "unresolved candidates")["rows_out"] == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"user": None, "shown": ["a"], "labels": [1]}, "the user is empty"),
        ({"user": "u", "shown": [], "labels": []}, "no candidates"),
        ({"user": "u", "labels": [1]}, "no candidates"),
        ({"user": "u", "shown": "a", "labels": [1]}, "no candidates"),
        ({"user": "u", "shown": ["a", "b"], "labels": [1]}, "1 labels for 2 candidates"),
        ({"user": "u", "shown": ["a"], "labels": ["yes"]}, "a label is not a number"),
        ({"user": "u", "shown": ["a"], "labels": [None]}, "a label is not a number"),
        ({"user": "u", "shown": ["a"], "labels": [1], "time": "then"}, "the time 'then' cannot be read"),
        ({"user": "u", "shown": ["a"], "labels": [1], "time": "infinity"}, "the time 'infinity' cannot be read"),
    ],
)
def test_malformed_rows(tmp_path: Path, row: dict, reason: str) -> None:
    fine = {"user": "v", "shown": ["a", "b"], "labels": [0, 1], "time": 5}
    with pytest.raises(DataError) as error:
        json_lines(tmp_path, [fine, row], labels="labels", time="time")
    assert str(error.value).startswith(f"{tmp_path / 'a.jsonl'}:2: {reason}")
    log = json_lines(tmp_path, [fine, row], tolerated=1, labels="labels", time="time")
    assert log.sql("SELECT user_id FROM impressions") == [("v",)]
    assert rule(log, "bad rows")["rows_in"] - rule(log, "bad rows")["rows_out"] == 1


def test_an_impression_whose_id_is_empty_is_malformed(tmp_path: Path) -> None:
    rows = [{"user": "v", "shown": ["a"], "labels": [1], "id": "m"}, {"user": "v", "shown": ["a"], "labels": [1]}]
    with pytest.raises(DataError, match=r"a\.jsonl:2: the id of the impression is empty"):
        json_lines(tmp_path, rows, labels="labels", impression="id")


def test_a_click_on_what_was_not_shown_is_a_bad_row(tmp_path: Path) -> None:
    rows = [{"user": "u", "shown": ["a", "b"], "clicked": ["b", "z"]}, {"user": "u", "shown": ["a"], "clicked": []}]
    with pytest.raises(DataError, match=r"a\.jsonl:1: the clicked item 'z' is not among the items shown; 1 such row"):
        json_lines(tmp_path, rows, clicked="clicked")


def test_what_is_absent_is_named(tmp_path: Path) -> None:
    write_ebnerd(tmp_path)
    with pytest.raises(
        DataError, match=r"has no column 'usr' \(data\.columns\.user\), did you mean|has no column 'usr'"
    ):
        ebnerd(tmp_path, columns={**EBNERD, "user": "usr"})
    (tmp_path / "history.parquet").unlink()
    with pytest.raises(InputMissingError, match=r"history\.parquet: no such file"):
        ebnerd(tmp_path)
