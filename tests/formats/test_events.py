"""Event tables by column mapping, in every kind of file."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import DataError, InputMissingError
from interestrec.core.raw_log import Log
from interestrec.core.settings import EventsData
from interestrec.formats import events

ROWS = [
    {"who": "u1", "what": "10", "when": "2026-03-01T10:00:00Z", "kind": "view", "stars": "3.5"},
    {"who": "u1", "what": "11", "when": "2026-03-01 11:30:00 UTC", "kind": "buy", "stars": "5"},
    {"who": "u,2", "what": "10", "when": "2026-03-02T00:00:00+02:00", "kind": "view", "stars": ""},
]
ITEMS = "what,name,brand\n10,Red lamp,Acme\n11,Blue chair,\n"
MAPPING: dict[str, Any] = {
    "columns": {"user": "who", "item": "what", "time": "when", "event": "kind", "value": "stars"},
}
EXPECTED = [
    ("u1", "10", "2026-03-01 10:00:00", "view", 3.5),
    ("u1", "11", "2026-03-01 11:30:00", "buy", 5.0),
    ("u,2", "10", "2026-03-01 22:00:00", "view", None),
]


def write_events(path: Path, rows: list[dict[str, Any]] = ROWS) -> None:
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    if kind == "jsonl":
        text = "".join(json.dumps({k: v for k, v in row.items() if v != ""}) + "\n" for row in rows)
    else:
        mark = {"csv": ",", "tsv": "\t", "dat": "|"}[kind]
        quoted = [[f'"{v}"' if "," in str(v) else str(v) for v in row.values()] for row in rows]
        text = "\n".join(mark.join(row) for row in [list(rows[0]), *quoted]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def read(root: Path, name: str, max_bad_rows: int = 0, items: dict[str, Any] | None = None, **changes: Any) -> Log:
    (root / "items.csv").write_text(ITEMS)
    described = items or {"files": ["items.csv"], "columns": {"item": "what", "title": ["brand", "name"]}}
    mapping = {"files": [name], **MAPPING, **changes}
    settings = EventsData.model_validate({"format": "events", "events": mapping, "items": described}).model_dump()
    log = Log()
    events.read(log, root, max_bad_rows, settings["events"], settings["items"])
    return log


def found(log: Log) -> list[tuple]:
    return log.sql("SELECT user_id, item_id, CAST(time AS VARCHAR), event, value FROM events ORDER BY ord")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.gz"])
def test_every_kind_of_file_reads_the_same(tmp_path: Path, name: str) -> None:
    write_events(tmp_path / name)
    log = read(tmp_path, name)
    assert found(log) == EXPECTED
    assert log.sql("SELECT item_id, title FROM items ORDER BY ord") == [("10", "Acme Red lamp"), ("11", "Blue chair")]


def test_a_delimiter_for_an_unknown_suffix(tmp_path: Path) -> None:
    write_events(tmp_path / "a.dat")
    assert found(read(tmp_path, "a.dat", delimiter="|")) == EXPECTED
    with pytest.raises(DataError, match="unknown kind of file"):
        read(tmp_path, "a.dat")


def test_numbers_as_ids_and_times(tmp_path: Path) -> None:
    table = pa.table({"u": [13085.0, None], "i": [7, 8], "t": [1_700_000_000_500, 1_700_000_000_000]})
    pq.write_table(table, tmp_path / "a.parquet")
    columns = {"user": "u", "item": "i", "time": "t"}
    items = {"files": ["a.parquet"], "columns": {"item": "i", "title": ["i"]}}
    log = read(tmp_path, "a.parquet", 1, items, columns=columns, time_unit="ms", event="play")
    assert found(log) == [("13085", "7", "2023-11-14 22:13:20.5", "play", None)]


def test_filters_and_event_types_are_counted(tmp_path: Path) -> None:
    write_events(tmp_path / "a.csv")
    where = [{"column": "who", "not_prefix": "u,"}, {"column": "stars", "above": 1}]
    log = read(tmp_path, "a.csv", where=where, event_types={"buy": "purchase"})
    assert found(log) == [("u1", "11", "2026-03-01 11:30:00", "purchase", 5.0)]
    counted = {r["rule"]: (r["rows_in"], r["rows_out"], r["examples"]) for r in log.quality.rules}
    assert counted["unlisted event types"] == (2, 1, ["view (1)"])
    assert [(r["rows_in"], r["rows_out"]) for r in log.quality.rules if r["rule"] == "filter"] == [(3, 2), (2, 2)]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"column": "kind", "equals": "buy"}, 1),
        ({"column": "stars", "equals": 5}, 1),
        ({"column": "what", "one_of": ["10", "12"]}, 2),
        ({"column": "stars", "below": 4}, 1),
        ({"column": "stars", "not_null": True}, 2),
    ],
)
def test_each_condition(tmp_path: Path, condition: dict[str, Any], kept: int) -> None:
    write_events(tmp_path / "a.csv")
    assert len(found(read(tmp_path, "a.csv", where=[condition]))) == kept


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"when": "soon"}, "the time 'soon' is neither ISO 8601 nor a number"),
        ({"when": "1e30"}, "the time '1e30' is neither"),
        ({"kind": ""}, "the event type is empty"),
        ({"stars": "many"}, "the value 'many' is not a number"),
        ({"stars": "inf"}, "the value 'inf' is not a number"),
    ],
)
def test_malformed_rows_are_named_or_tolerated(tmp_path: Path, change: dict[str, str], reason: str) -> None:
    write_events(tmp_path / "a.csv", [*ROWS, {**ROWS[0], **change}])
    with pytest.raises(DataError) as caught:
        read(tmp_path, "a.csv")
    assert f"a.csv:5: {reason}" in str(caught.value)
    assert len(found(read(tmp_path, "a.csv", max_bad_rows=1))) == 3


def test_a_row_with_too_many_columns(tmp_path: Path) -> None:
    write_events(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open("a") as target:
        target.write("u3,10,2026-03-01T10:00:00Z,view,1,extra\n")
    with pytest.raises(DataError, match=r"a\.csv:5: expected 5 columns, found 6"):
        read(tmp_path, "a.csv")


def test_events_of_nobody_are_left_out_and_counted(tmp_path: Path) -> None:
    write_events(tmp_path / "a.csv", [*ROWS, {**ROWS[0], "who": ""}, {**ROWS[0], "what": " "}])
    log = read(tmp_path, "a.csv")
    assert found(log) == EXPECTED
    rule = next(r for r in log.quality.rules if r["rule"] == "events of nobody")
    assert (rule["rows_in"], rule["rows_out"]) == (5, 3)


def test_wrong_columns_name_those_there_are(tmp_path: Path) -> None:
    write_events(tmp_path / "a.csv")
    columns = {"user": "whom", "item": "what"}
    with pytest.raises(DataError, match=r"no column 'whom' .*did you mean 'who'\?.*it has: who, what, when"):
        read(tmp_path, "a.csv", columns=columns)
    with pytest.raises(InputMissingError, match=r"b\.csv"):
        read(tmp_path, "b.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path, "broken.parquet")
