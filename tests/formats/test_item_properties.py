"""Item properties over time: the latest value before an event describes its item."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interestrec.core.errors import DataError
from interestrec.corpus.build import build
from interestrec.formats.events import EventsData, read
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import settings_of

COLUMNS = {"item": "item", "title": ["name"], "category": "kind", "price": "cost"}
PROPERTIES = {"name": "property", "value": "value", "time": "at"}
Rows = list[tuple[Any, ...]]


def run(
    directory: Path, events: Rows, values: Rows, tolerated: int = 0, **changes: Any
) -> tuple[RawLog, list[tuple[Any, ...]]]:
    """The log, and what each event says of its item: title, category, price."""
    with (directory / "e.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "at"), *events])
    with (directory / "p.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("at", "item", "property", "value"), *values])
    table = {"files": ["p.csv"], "columns": COLUMNS, "properties": PROPERTIES, **changes}
    log = RawLog(directory, threads=1)
    mapping = {"files": ["e.csv"], "columns": {"user": "user", "item": "item", "time": "at"}}
    read(log, EventsData(format="events", root=directory, events=mapping, items=table, max_bad_rows=tolerated))  # type: ignore[arg-type]
    assert log.rows_read == log.rows_kept + log.rows_left_out + log.rows("bad_rows") == len(events) + len(values)
    return log, log.sql("SELECT title, category, price FROM items ORDER BY ord")


def rule(log: RawLog, name: str) -> dict[str, Any]:
    return next(entry for entry in log.quality.rules if entry["rule"] == name)


def test_the_latest_value_before_the_event_counts(tmp_path: Path) -> None:
    values = [(100, "a", "cost", "9"), (300, "a", "cost", "8"), (200, "a", "name", "Tea"), (100, "b", "kind", "pot")]
    events = [("u", "a", t) for t in (100, 101, 250, 300, 301)] + [("u", "b", 999), ("u", "c", 999)]
    log, described = run(tmp_path, events, values)
    assert described == [
        ("", None, None),  # a value at the time of the event is not before it
        ("", None, 9.0),
        ("Tea", None, 9.0),
        ("Tea", None, 9.0),
        ("Tea", None, 8.0),
        ("", "pot", None),
        ("", None, None),
    ]
    counted = rule(log, "events without earlier properties")
    assert (counted["rows_in"], counted["rows_out"]) == (7, 5)
    assert log.sql("SELECT DISTINCT i.item_id = e.item_id FROM items i JOIN events e ON i.event_ord = e.ord") == [
        (True,)
    ]


def test_values_in_any_order_and_the_last_row_of_equal_times(tmp_path: Path) -> None:
    values = [(20, "a", "name", "new"), (10, "a", "name", "old"), (20, "a", "name", "newer"), (15, "a", "name", "mid")]
    assert [row[0] for row in run(tmp_path, [("u", "a", 16), ("u", "a", 21)], values)[1]] == ["mid", "newer"]


def test_an_empty_value_ends_the_one_before(tmp_path: Path) -> None:
    values = [(10, "a", "name", "old"), (20, "a", "name", "")]
    assert [row[0] for row in run(tmp_path, [("u", "a", 15), ("u", "a", 25)], values)[1]] == ["old", ""]


def test_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    values = [(1, "a", "name", "x"), (1, "a", "stock", "5"), (1, "", "name", "y"), ("noon", "a", "name", "z")]
    log, described = run(tmp_path, [("u", "a", 5)], values, tolerated=1)
    assert described == [("x", None, None)]
    lost = {entry["rule"]: entry["rows_in"] - entry["rows_out"] for entry in log.quality.rules}
    assert (lost["unused properties"], lost["items without an id"], lost["bad rows"]) == (1, 1, 1)
    with pytest.raises(DataError, match=r"p\.csv:5: the time 'noon' cannot be read as seconds"):
        run(tmp_path, [("u", "a", 5)], values)


def test_without_times_the_last_value_describes_the_item(tmp_path: Path) -> None:
    values = [(1, "a", "name", "x"), (1, "a", "name", "y"), (1, "b", "cost", "3"), (1, "a", "kind", "k")]
    properties = {"name": "property", "value": "value"}
    log, described = run(tmp_path, [("u", "a", 5)], values, properties=properties)
    assert described == [("y", "k", None), ("", None, 3.0)]
    assert log.rows("items") == 2


def test_further_properties_are_kept(tmp_path: Path) -> None:
    values = [
        (1, "a", "name", "x"),
        (1, "a", "grapes", "['p', 'q']"),
        (7, "a", "grapes", "['r']"),
        (1, "a", "size", "1"),
    ]
    log, _ = run(tmp_path, [("u", "a", 5), ("u", "a", 9)], values, attributes=["grapes"])
    kept = log.sql("SELECT attributes FROM items ORDER BY ord")
    assert kept == [(['["p","q"]'],), (['["r"]'],)]
    assert rule(log, "unused properties")["rows_in"] - rule(log, "unused properties")["rows_out"] == 1


def test_a_property_may_have_the_name_of_a_column(tmp_path: Path) -> None:
    values = [(1, "a", "item", "x"), (1, "a", "value", "y")]
    columns = {"item": "item", "title": ["item"], "text": ["value"]}
    log, _ = run(tmp_path, [("u", "a", 5)], values, columns=columns)
    assert log.sql("SELECT item_id, title, text FROM items") == [("a", "x", "y")]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    properties = {**PROPERTIES, "name": "key"}
    with pytest.raises(DataError, match=r"has no column 'key' \(data\.items\.properties\.name\)"):
        run(tmp_path, [("u", "a", 5)], [(1, "a", "name", "x")], properties=properties)


def test_a_later_value_enters_no_corpus(tmp_path: Path) -> None:
    """The item of a train event is not described by what was known only after all events."""
    raw = tmp_path / "raw"
    raw.mkdir()
    events = [(f"u{n % 4}", "ab"[n % 2], 1_500_000_000 + n) for n in range(40)]
    values = [(1_400_000_000, "a", "name", "early"), (1_500_000_100, "b", "name", "late")]
    log, _ = run(raw, events, values)
    section = {"format": "events", "events": {"files": ["e.csv"], "columns": {"user": "user", "item": "item"}}}
    given_items = {"files": ["p.csv"], "columns": COLUMNS, "properties": PROPERTIES}
    configured = settings_of(tmp_path, {**section, "items": given_items}, tmp_path)
    (tmp_path / "built").mkdir()
    built = build(log, configured.data, configured.preprocess, 0, tmp_path / "built")
    assert {row["item_id"]: row["title"] for row in built.items.to_pylist()} == {"a": "early", "b": None}


TIMES = st.integers(1, 8)
VALUES = st.lists(
    st.tuples(TIMES, st.sampled_from("ab"), st.sampled_from(["name", "kind"]), st.sampled_from(["", "x", "y", "z"]))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES, events=st.lists(st.tuples(st.just("u"), st.sampled_from("abc"), TIMES), min_size=1))
def test_against_a_search_of_all_rows(tmp_path: Path, values: Rows, events: Rows) -> None:
    def latest(item: str, name: str, time: int) -> str | None:
        before = [(row[0], n, row[3]) for n, row in enumerate(values) if row[1:3] == (item, name) and row[0] < time]
        return max(before)[2] or None if before else None

    _, described = run(tmp_path, events, values)
    expected = [(latest(item, "name", at) or "", latest(item, "kind", at)) for _, item, at in events]
    assert [row[:2] for row in described] == expected
