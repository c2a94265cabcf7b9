"""Retailrocket's events and item properties over time."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interestrec.core.errors import DataError
from interestrec.formats.retailrocket import RetailrocketData, read
from interestrec.rawfiles.raw_log import RawLog
from tests.formats.inputs import ITEMS, START, rows_of

EVENTS = ["timestamp", "visitorid", "event", "itemid", "transactionid"]
PROPERTIES = ["timestamp", "itemid", "property", "value"]
TREE = [(1016, 213), (213, 9), (9, ""), (7, 8), (8, 7)]  # the last two are each other's parents


def write(path: Path, header: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_properties(raw: Path, rows: list[Any]) -> None:
    write(raw / "item_properties_part1.csv", PROPERTIES, rows[::2])
    write(raw / "item_properties_part2.csv", PROPERTIES, rows[1::2])


def write_sample(raw: Path, rng: np.random.Generator) -> dict[str, Any]:
    events = [
        (time * 1_000, user[1:], "transaction" if kind == "buy" else "view", item[1:], 4 if kind == "buy" else "")
        for user, item, time, _, kind in rows_of(rng)
    ]
    write(raw / "events.csv", EVENTS, events)
    values = {"888": "1116713 960601 n277.200", "categoryid": 1016, "790": "n15360.000", "available": 1}
    before = (START - 60) * 1_000
    rows = [(before, n, name, value) for n in range(ITEMS) for name, value in values.items()]
    write_properties(raw, rows)
    write(raw / "category_tree.csv", ["categoryid", "parentid"], TREE)
    return {"format": "retailrocket"}


def run(directory: Path, properties: list[Any], **changes: Any) -> RawLog:
    events = [(2_000, 257597, "view", 5, ""), (4_000, 257597, "transaction", 5, 234), (4_000, 3, "addtocart", 6, "")]
    write(directory / "events.csv", EVENTS, events)
    write_properties(directory, properties)
    write(directory / "category_tree.csv", ["categoryid", "parentid"], TREE)
    log = RawLog(directory)
    read(log, RetailrocketData(format="retailrocket", root=directory, **changes))
    return log


def test_events_and_what_their_items_were(tmp_path: Path) -> None:
    properties = [
        (1_000, 5, "888", "1116713 n277.200"),
        (1_000, 5, "790", "n1536.500"),
        (3_000, 5, "790", "n99.000"),
        (3_000, 5, "categoryid", "1016"),
        (1_000, 6, "categoryid", "7"),
        (1_000, 6, "available", "1"),
    ]
    log = run(tmp_path, properties)
    assert log.sql("SELECT user_id, item_id, time, event FROM events ORDER BY ord") == [
        ("257597", "5", datetime(1970, 1, 1, 0, 0, 2), "view"),
        ("257597", "5", datetime(1970, 1, 1, 0, 0, 4), "transaction"),
        ("3", "6", datetime(1970, 1, 1, 0, 0, 4), "addtocart"),
    ]
    [first, second, third] = log.sql("SELECT title, price, category FROM items ORDER BY ord")
    assert first == ("1116713 n277.200", 1536.5, None)
    assert second == ("1116713 n277.200", 99.0, "9/213/1016")
    assert third[0] == "" and third[2].endswith("8/7")  # a cycle ends


def test_without_tree_and_price(tmp_path: Path) -> None:
    log = run(tmp_path, [(1_000, 5, "categoryid", "1016"), (1, 5, "790", "n1.0")], category_tree=None, price=None)
    assert log.sql("SELECT category, price FROM items ORDER BY ord LIMIT 1") == [("1016", None)]


def test_a_tree_without_parents_is_named(tmp_path: Path) -> None:
    run(tmp_path, [])
    write(tmp_path / "category_tree.csv", ["categoryid", "parent"], [(1, 2)])
    with pytest.raises(DataError, match=r"category_tree\.csv: has no column 'parentid'"):
        read(RawLog(tmp_path), RetailrocketData(format="retailrocket", root=tmp_path))
