"""Kept columns of items: their types, the values that count, and what is left out and counted."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from tests.corpus.logs import built, event_log, plan, rule

EVENTS = [("b", "x", 1), ("a", "y", 2), ("a", "z", 3), ("b", "y", 4), ("c", "x", 5)]


def with_items(values: Sequence[str | None], events: Sequence[tuple] = EVENTS) -> tuple:
    """The log and the tables where the items x, y, z, then strangers without events, have these values of `it`."""
    log = event_log(events, items=[])
    names = ["x", "y", "z", *(f"stranger {n}" for n in range(len(values)))]
    log.item_attributes = ["it"]
    for order, (name, value) in enumerate(zip(names, values, strict=False), 100):
        log.db.execute(
            "INSERT INTO items VALUES (?, ?, '', NULL, NULL, NULL, ?, NULL, [?])", [name, name, order, value]
        )
    return log, built(log, plan())


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        (["1", "-2.5", None], pa.float64(), [1.0, -2.5, None]),
        (["1", "02139", "3"], pa.string(), ["1", "02139", "3"]),
        (["1", "2", None, "few"], pa.string(), ["1", "2", None]),  # of an item that nobody met
        (["<b>Full</b>", " ", "A &amp; B"], pa.string(), ["Full", None, "A & B"]),
        (["[Untitled]", "b", None], pa.string(), ["[Untitled]", "b", None]),
        (['["a","<i>b</i>"]', "c", '[" "]'], pa.list_(pa.string()), [["a", "b"], ["c"], None]),
        (['["2020","2019"]', '["2020"]', '["2018","2017","2016"]'], pa.list_(pa.string()), None),  # years, no vector
        (['["1"]', '["2"]', '["3"]'], pa.list_(pa.string()), [["1"], ["2"], ["3"]]),
        (['["0.5","1"]', '["2","-1e2"]', None], pa.list_(pa.float32()), [[0.5, 1.0], [2.0, -100.0], None]),
        (['["1","nan"]', '["1","2"]', None], pa.list_(pa.string()), [["1", "nan"], ["1", "2"], None]),
        (["[1.5, 2.0]", "[3e-09, 1.0]", None], pa.list_(pa.float32()), [[1.5, 2.0], [np.float32(3e-9), 1.0], None]),
        (["[1, 2]", "[3]", None], pa.list_(pa.string()), [["1", "2"], ["3"], None]),
        ([None, None, None], pa.string(), [None, None, None]),
    ],
)
def test_the_type_follows_from_all_values(
    values: list[str | None], kind: pa.DataType, kept: list[object] | None
) -> None:
    items = with_items(values)[1].items
    assert items.schema.field("it").type == kind
    assert items["item_id"].to_pylist()[:3] == ["x", "y", "z"]  # in train, so that they come first
    if kept is not None:
        assert items["it"].to_pylist()[:3] == kept


def test_few_values_that_are_no_vector_are_left_out_and_counted() -> None:
    rare = ['["1","2","3"]', '["1","nan"]', None]
    log, tables = with_items([*rare, *['["1","2"]'] * 20])
    assert tables.items["it"].to_pylist()[:4] == [None, None, None, [1.0, 2.0]]
    counted = rule(log, "item vectors of another length")
    assert (counted["rows_in"], counted["rows_out"]) == (23, 23)
    assert counted["reason"].startswith("2 values of the attribute it are not lists of 2 numbers")
    assert with_items([*rare, *['["1","2"]'] * 19])[1].items.schema.field("it").type == pa.list_(pa.string())


def test_the_first_row_of_an_item_counts_and_of_events_the_most_frequent_of_train() -> None:
    log = event_log([("u", "a", n) for n in range(1, 11)], items=[])
    log.item_attributes = ["it"]
    first = log.number("SELECT min(ord) FROM events")
    for n, value in enumerate(["rare", *["often"] * 2, *[None] * 4, *["late"] * 3]):
        values = ["a", "a", first + n, first + n, value]
        log.db.execute("INSERT INTO items VALUES (?, ?, '', NULL, NULL, NULL, ?, ?, [?])", values)
    assert built(log, plan()).items["it"].to_pylist() == ["often"]
    log, tables = with_items(["1", "2", "3"])
    assert tables.items["it"].to_pylist()[:3] == [1.0, 2.0, 3.0]
    log = event_log(EVENTS, items=[])
    log.item_attributes = ["it"]
    for n, (name, value) in enumerate([("x", "one"), ("x", "two"), ("y", "two"), ("z", "two"), ("x", "two")], 100):
        log.db.execute("INSERT INTO items VALUES (?, ?, '', NULL, NULL, NULL, ?, NULL, [?])", [name, name, n, value])
    assert built(log, plan()).items["it"].to_pylist() == ["one", "two", "two"]
    counted = rule(log, "repeated items")
    assert (counted["rows_in"], counted["rows_out"]) == (5, 3)
