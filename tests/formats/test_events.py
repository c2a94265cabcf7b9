"""Event logs by column mapping."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ConfigError, DataError, InputMissingError
from interestrec.formats.events import EventsData, read
from interestrec.rawfiles import text_lines
from interestrec.rawfiles.raw_log import RawLog

EVENTS = "(SELECT *, ord - base AS row FROM events ASOF JOIN sources ON ord > base)"
HEADER = "user,item,time,kind,stars,invoice\n"


def mapping(**changes: Any) -> dict[str, Any]:
    columns = {"user": "user", "item": "item", "time": "time", **changes.pop("columns", {})}
    return {"files": ["e.csv"], "event": "view", **changes, "columns": columns}


def items(**changes: Any) -> dict[str, Any]:
    columns = {"item": "id", "title": ["name"], **changes.pop("columns", {})}
    return {"files": ["i.csv"], **changes, "columns": columns}


def read_events(log: RawLog, directory: Path, **changes: Any) -> None:
    usual = {"format": "events", "root": directory, "events": mapping(), "items": items()}
    read(log, EventsData(**{**usual, **changes}))


def run(directory: Path, text: str | None, events: dict, tolerated: int = 0, about: dict | None = None) -> RawLog:
    if text is not None:
        (directory / events["files"][0]).write_text(HEADER + text)
    (directory / "i.csv").write_text("id,name,extra,cost\na,Apple,red,1.5\nb,,blue,x\n")
    log = RawLog(directory)
    read_events(log, directory, max_bad_rows=tolerated, events=events, items=about or items())
    return log


def found(log: RawLog, columns: str = "user_id, item_id, time, event, value, row") -> list[tuple]:
    return log.sql(f"SELECT {columns} FROM {EVENTS} ORDER BY ord")


def rule(log: RawLog, name: str) -> dict[str, Any]:
    return next(entry for entry in log.quality.rules if entry["rule"] == name)


def test_columns_are_mapped(tmp_path: Path) -> None:
    log = run(tmp_path, "u,a,60,view,4.5,X\n", mapping(columns={"event": "kind", "value": "stars"}))
    assert found(log) == [("u", "a", datetime(1970, 1, 1, 0, 1), "view", 4.5, 2)]


@pytest.mark.parametrize(
    ("written", "unit", "read_as"),
    [
        ("2026-03-01T10:00:00Z", "s", datetime(2026, 3, 1, 10)),
        ("2026-03-01T12:00:00+02:00", "s", datetime(2026, 3, 1, 10)),
        ("2026-03-01 10:00:00", "s", datetime(2026, 3, 1, 10)),
        ("2019-10-01 00:00:00 UTC", "s", datetime(2019, 10, 1)),
        ("1500000000", "s", datetime(2017, 7, 14, 2, 40)),
        ("1500000000000", "ms", datetime(2017, 7, 14, 2, 40)),
        ("1500000000000000", "us", datetime(2017, 7, 14, 2, 40)),
        ("", "s", None),
    ],
)
def test_times(tmp_path: Path, written: str, unit: str, read_as: datetime | None) -> None:
    log = run(tmp_path, f"u,a,{written},,,\n", mapping(time_unit=unit))
    assert found(log, "time") == [(read_as,)]


def test_ids_of_parquet_are_whole_numbers(tmp_path: Path) -> None:
    table = {"user": [13085.0, float("nan"), 2.5], "item": [1, 2, 3], "time": [1, 2, 3]}
    pq.write_table(pa.table(table), tmp_path / "e.parquet")
    log = run(tmp_path, None, mapping(files=["e.parquet"]))
    assert found(log, "user_id, item_id") == [("13085", "1"), ("2.5", "3")]
    assert rule(log, "events of nobody")["examples"] == ["e.parquet:2"]


def test_rows_without_user_or_item_are_left_out_and_counted(tmp_path: Path) -> None:
    log = run(tmp_path, ",a,1,,,\nu,a,2,,,\nu, ,3,,,\n", mapping())
    assert found(log, "row") == [(3,)]
    counted = rule(log, "events of nobody")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (3, 1, ["e.csv:2", "e.csv:4"])


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"column": "invoice", "not_prefix": "C"}, [2, 4]),
        ({"column": "invoice", "equals": "C1"}, [3]),
        ({"column": "stars", "equals": 4}, [3]),
        ({"column": "stars", "in": [4, "5.0"]}, [3, 4]),
        ({"column": "stars", "above": 4}, [4]),
        ({"column": "stars", "below": 4}, [2]),
        ({"column": "kind", "not_null": True}, [2, 3]),
    ],
)
def test_filters(tmp_path: Path, condition: dict, kept: list[int]) -> None:
    log = run(tmp_path, "u,a,1,view,3,1\nu,a,2,view,4,C1\nu,a,3,,5.0,2\n", mapping(where=[condition]))
    assert found(log, "row") == [(row,) for row in kept]
    counted = rule(log, "filter")
    assert (counted["rows_in"], counted["rows_out"]) == (3, len(kept))
    assert len(counted["examples"]) == 3 - len(kept)


def test_event_types_are_mapped_and_unlisted_ones_counted(tmp_path: Path) -> None:
    types = mapping(columns={"event": "kind"}, event_types={"v": "view", "b": "purchase"})
    log = run(tmp_path, "u,a,1,v,,\nu,a,2,b,,\nu,a,3,z,,\nu,a,4,z,,\n", types)
    assert found(log, "event") == [("view",), ("purchase",)]
    assert rule(log, "unlisted event types")["examples"] == ["z (2)"]


def test_examples_are_places_where_nothing_may_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(HEADER + "u,a,1,v,,\nu,a,3,z,,\nu,a,4,z,,\n")
    (tmp_path / "i.csv").write_text("id,name,extra,cost\na,Apple,red,1.5\n")
    log = RawLog(tmp_path, quotes=False)
    types = mapping(columns={"event": "kind"}, event_types={"v": "view"})
    read_events(log, tmp_path, events=types)
    assert rule(log, "unlisted event types")["examples"] == ["e.csv:3", "e.csv:4"]


def test_items_of_their_own_table(tmp_path: Path) -> None:
    about = items(columns={"title": ["name", "extra"], "text": ["extra"], "category": "extra", "price": "cost"})
    log = run(tmp_path, "u,a,1,,,\n", mapping(), about=about)
    assert log.sql("SELECT item_id, title, text, category, price, event_ord FROM items ORDER BY ord") == [
        ("a", "Apple red", "red", "red", 1.5, None),
        ("b", "blue", "blue", "blue", None, None),
    ]


def test_items_of_the_event_rows_point_to_their_events(tmp_path: Path) -> None:
    about = items(files=["e.csv"], columns={"item": "item", "title": ["kind"]})
    log = run(tmp_path, "u,a,1,red,,\nu,b,bad,blue,,\nu,c,3,green,,\n", mapping(), 1, about)
    rows = log.sql(f"SELECT i.item_id, title, e.row FROM items i JOIN {EVENTS} e ON i.event_ord = e.ord ORDER BY i.ord")
    assert rows == [("a", "red", 2), ("c", "green", 4)]
    assert log.rows("items") == 2  # a bad row describes nothing


def test_several_files_are_one_log(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(HEADER + "v,b,2,,,\n")
    log = run(tmp_path, "u,a,1,,,\n", mapping(files=["e.csv", "f.csv"]))
    assert found(log, "user_id, row") == [("u", 2), ("v", 2)]
    assert log.number("SELECT count(DISTINCT ord) FROM events") == 2


def test_patterns_and_the_columns_of_directories(tmp_path: Path) -> None:
    for day, row in {"2026-03-01": "u,a,,,,\n", "2026-03-02": "v,b,,,,\n"}.items():
        (tmp_path / f"day={day}").mkdir()
        (tmp_path / f"day={day}" / "part.csv").write_text(HEADER + row)
    events = mapping(files=["day=*/part.csv"], columns={"time": "day"})
    log = run(tmp_path, None, events)
    assert found(log, "user_id, time, row") == [("u", datetime(2026, 3, 1), 2), ("v", datetime(2026, 3, 2), 2)]
    assert log.place(log.number("SELECT max(ord) FROM events")) == f"{tmp_path}/day=2026-03-02/part.csv:2"
    kept = run(tmp_path, None, {**events, "where": [{"column": "day", "equals": "2026-03-02"}]})
    assert found(kept, "user_id") == [("v",)]


def test_a_column_of_the_file_counts_before_a_directory_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "user=none").mkdir()
    log = run(tmp_path, "u,a,1,,,\n", mapping(files=["user=none/e.csv"]))
    assert found(log, "user_id") == [("u",)]


def test_a_session_stands_for_a_missing_user(tmp_path: Path) -> None:
    text = "u,a,1,,,X\n,a,2,,,X\n ,b,3,,,Y\n,c,4,,,\n"
    log = run(tmp_path, text, mapping(columns={"session": "invoice"}))
    assert found(log, "user_id, row") == [("u", 2), ("session:X", 3), ("session:Y", 4)]
    assert rule(log, "events of nobody")["examples"] == ["e.csv:5"]
    alone = run(tmp_path, text, mapping(columns={"user": None, "session": "invoice"}))
    assert found(alone, "user_id, row") == [("session:X", 2), ("session:X", 3), ("session:Y", 4)]


def test_columns_of_json_lines_are_paths(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"who": {"id": 7.0}, "what": {"item": "a"}, "at": 60}\n')
    columns = {"user": "who.id", "item": "what.item", "time": "at"}
    log = run(tmp_path, None, mapping(files=["e.jsonl"], columns=columns))
    assert found(log, "user_id, item_id, time") == [("7", "a", datetime(1970, 1, 1, 0, 1))]


@pytest.mark.parametrize("wrong", ["who.name", "whom", "what.item.name"])
def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "e.jsonl").write_text('{"who": {"id": 7.0}, "what": {"item": "a"}, "at": null}\n')
    columns = {"user": wrong, "item": "what.item", "time": "at"}
    with pytest.raises(DataError, match=f"has no column '{wrong}'"):
        run(tmp_path, None, mapping(files=["e.jsonl"], columns=columns))


def test_categories_and_prices_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "i.tsv").write_text("id\tname\tkind\tcost\nx\tX\tHome > Garden > Pots\t$1,299.50\n")
    about = items(files=["i.tsv"], columns={"category": "kind", "category_separator": " > ", "price": "cost"})
    log = run(tmp_path, "u,x,1,,,\n", mapping(), about=about)
    assert log.sql("SELECT category, price FROM items") == [("Home/Garden/Pots", 1299.5)]


@pytest.mark.parametrize("size", [1, 9, 30])
def test_blocks_of_any_size_give_the_same_log(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'u,a,1,v,3,\nu,"a\nb",2,v,3,\n,a,2,v,3,\nu,a,soon,v,4,\nu,a,4\n\nv,b,5,z,5,\nv,b,6,z,6,\nw,c,7,v,1,\n'
    types = {"v": "view"}
    events = mapping(columns={"event": "kind"}, event_types=types, where=[{"column": "stars", "below": 6}])
    whole = run(tmp_path, text, events, tolerated=2)
    assert found(whole, "user_id, row") == [("u", 2), ("u", 3), ("w", 11)]
    monkeypatch.setattr(text_lines, "_BLOCK_BYTES", size)
    log = run(tmp_path, text, events, tolerated=2)
    assert found(log) == found(whole)
    assert log.sql("FROM bad_rows ORDER BY row") == whole.sql("FROM bad_rows ORDER BY row")
    counts = [
        [{key: entry[key] for key in ("rule", "rows_in", "rows_out")} for entry in each.quality.rules]
        for each in (log, whole)
    ]
    assert counts[0] == counts[1]
    assert log.rows_read == whole.rows_read


def test_bad_rows_are_named_counted_and_bounded(tmp_path: Path) -> None:
    text = "u,a,1,v,3,\nu,a,soon,v,3,\nu,a,3,v,many,\nu,a,4\n\nu,b,5,v,inf,\nu,b,1500000000000,v,1,\n"
    events = mapping(columns={"value": "stars"}, time_unit="s")
    log = run(tmp_path, text, events, tolerated=5)
    assert found(log, "row") == [(2,)]
    counted = rule(log, "bad rows")
    assert counted["rows_in"] - counted["rows_out"] == 5
    assert (
        counted["examples"][0] == "e.csv:3: the time 'soon' cannot be read as seconds since 1970 within 1900 to 2200; "
        "`time_format` in data.events says how times are written"
    )
    assert log.sql("SELECT row FROM bad_rows ORDER BY row") == [(3,), (4,), (5,), (7,), (8,)]
    with pytest.raises(DataError, match=r"e\.csv:3: the time 'soon'.*5 such row\(s\), data\.max_bad_rows allows 4"):
        run(tmp_path, text, events, tolerated=4)


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError) as missing:
        run(tmp_path, None, mapping(files=["absent.csv"]))
    assert missing.value.exit_status == 66
    with pytest.raises(DataError, match=r"no column 'usr' \(data\.events\.columns\.user\) \(did you mean 'user'"):
        run(tmp_path, "", mapping(columns={"user": "usr"}))
    with pytest.raises(DataError, match=r"no column 'x' \(data\.events\.where\.0\.column\)"):
        run(tmp_path, "", mapping(where=[{"column": "x", "not_null": True}]))
    with pytest.raises(ConfigError, match="set them under data"):
        run(tmp_path, "", mapping(), about=items(files=["e.csv"], where=[{"column": "item", "not_null": True}]))
