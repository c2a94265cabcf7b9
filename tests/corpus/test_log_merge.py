"""New events join the log of a decision; forgotten users leave it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import DataError
from interestrec.corpus.log_merge import KnownLog, known, merge
from interestrec.io import schemas

NOBODY = np.zeros(0, np.int64)
Row = tuple[str, str, int | None]  # user, item, time


def log_of(rows: Sequence[Row], users: Sequence[str], items: Sequence[str], event: str = "view") -> KnownLog:
    """A log with users and items numbered in the order given; an age per user."""
    user = [users.index(row[0]) for row in rows]
    timelines = pa.table(
        {
            "user": user,
            "item": [items.index(row[1]) for row in rows],
            "time": pa.array([row[2] for row in rows], pa.int64())
            .cast(pa.timestamp("us"))
            .cast(pa.timestamp("us", "UTC")),
            "event": [event] * len(rows),
            "value": pa.nulls(len(rows), pa.float64()),
            "intensity": [1.0] * len(rows),
            "split": ["test"] * len(rows),
            "position": [0] * len(rows),
        }
    ).cast(schemas.TIMELINES)
    people = pa.table({"user": range(len(users)), "user_id": list(users), "valid_part": ["valid_select"] * len(users)})
    people = people.cast(schemas.USERS).append_column("age", pa.array([30.0] * len(users)))
    things = pa.table(
        {
            "item": range(len(items)),
            "item_id": list(items),
            "title": [f"title of {name}" for name in items],
            "text": [""] * len(items),
            "category": pa.nulls(len(items), pa.string()),
            "price": pa.nulls(len(items), pa.float64()),
            "published": pa.nulls(len(items), pa.timestamp("us", "UTC")),
            "has_text": [True] * len(items),
        }
    ).cast(schemas.ITEMS)
    return KnownLog(things, people, known(timelines))


def rows_of(log: KnownLog) -> list[Row]:
    names = [log.users["user_id"].to_pylist(), log.items["item_id"].to_pylist()]
    columns = (log.timelines[name].to_pylist() for name in ("user", "item"))
    times = log.timelines["time"].cast(pa.int64()).to_pylist()
    return [(names[0][u], names[1][i], t) for u, i, t in zip(*columns, times, strict=True)]


OLD = log_of([("u", "a", 10), ("u", "b", 30), ("v", "a", 20)], ["u", "v"], ["a", "b"])


def test_new_events_stand_in_order_and_new_names_get_the_next_numbers() -> None:
    new = log_of([("w", "c", 25), ("u", "c", 20), ("u", "a", 40)], ["w", "u"], ["c", "a"])
    merged = merge(OLD, new, NOBODY)
    assert rows_of(merged.tables) == [
        ("u", "a", 10),
        ("u", "c", 20),
        ("u", "b", 30),
        ("u", "a", 40),
        ("v", "a", 20),
        ("w", "c", 25),
    ]
    assert merged.tables.users["user_id"].to_pylist() == ["u", "v", "w"]
    assert merged.tables.items["item"].to_pylist() == [0, 1, 2]
    assert merged.tables.timelines["position"].to_pylist() == [0, 1, 2, 3, 0, 0]
    assert set(merged.tables.timelines["split"].cast(pa.string()).to_pylist()) == {"train"}
    assert merged.touched.tolist() == [0, 2]
    assert merged.new_items.tolist() == [0]
    assert merged.counts == {
        "events_read": 3,
        "events_added": 3,
        "events_known": 0,
        "events_forgotten": 0,
        "items_added": 1,
        "users_added": 1,
    }


def test_a_file_that_is_delivered_twice_adds_nothing_and_every_row_is_counted() -> None:
    new = log_of([("u", "b", 30), ("v", "a", 50), ("v", "a", 20)], ["u", "v"], ["b", "a"])
    once = merge(OLD, new, NOBODY)
    assert (once.counts["events_added"], once.counts["events_known"]) == (1, 2)
    assert once.touched.tolist() == [1]
    twice = merge(once.tables, new, NOBODY)
    assert (twice.counts["events_added"], twice.counts["events_known"]) == (0, 3)
    assert rows_of(twice.tables) == rows_of(once.tables)
    other = log_of([("u", "b", 30)], ["u"], ["b"], event="purchase")  # the same moment, but something else
    assert merge(OLD, other, NOBODY).counts["events_added"] == 1


def test_events_without_times_stand_behind_those_that_are_there() -> None:
    old = log_of([("u", "a", None), ("v", "b", None)], ["u", "v"], ["a", "b"])
    merged = merge(old, log_of([("u", "b", None)], ["u"], ["b"]), NOBODY)
    assert rows_of(merged.tables) == [("u", "a", None), ("u", "b", None), ("v", "b", None)]


def test_forgotten_users_leave_no_event_no_name_and_no_attribute() -> None:
    merged = merge(OLD, None, np.array([0]))
    assert rows_of(merged.tables) == [("v", "a", 20)]
    assert merged.tables.users.to_pylist()[0] == {
        "user": 0,
        "user_id": "forgotten-0",
        "valid_part": "valid_select",
        "age": None,
    }
    assert merged.touched.tolist() == [0]
    assert merged.counts["events_forgotten"] == 2
    back = merge(merged.tables, log_of([("u", "a", 40)], ["u"], ["a"]), NOBODY)  # somebody new of the same name
    assert back.tables.users["user_id"].to_pylist() == ["forgotten-0", "v", "u"]


def test_events_that_are_older_than_the_log_are_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 new events are older than all of the log, which begins at 1970-01-01"):
        merge(OLD, log_of([("u", "a", 40), ("u", "a", 9)], ["u"], ["a"]), NOBODY)


def test_tables_with_other_columns_are_refused() -> None:
    new = log_of([("w", "c", 40)], ["w"], ["c"])
    with pytest.raises(DataError, match="the new users have other columns than those of the log"):
        merge(OLD, KnownLog(new.items, new.users.drop_columns(["age"]), new.timelines), NOBODY)
