"""The whole way from a log to tables: faults, counts, and what must not change the result."""

from datetime import UTC

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import (
    built,
    by_name,
    event_log,
    grading,
    impression_log,
    moment,
    plan,
    rule,
    stars,
    value_map,
)

EVENTS = [("uvw"[n % 3], "abcdefg"[n % 7], n) for n in range(30)]
IMPRESSIONS = [
    (str(n), f"u{n % 3}", n, "train" if n < 12 else "valid" if n < 16 else "test", "a b"[: n % 4], "c-0 d-1 e-0")
    for n in range(20)
]


def known(events: list[tuple], **changes: object) -> dict[str, list[tuple]]:
    """Train and valid rows by string id."""
    found = by_name(built(event_log(events, items="abcdefg"), plan(**changes)))
    return {name: sorted((r for r in rows if "test" not in r), key=str) for name, rows in found.items()}


def test_counts() -> None:
    log = event_log([*EVENTS, EVENTS[0], ("u", "unknown", 3)], items="abcdefgh")
    tables = built(log, plan())
    assert tables.counts == {
        "items": 8,
        "users": 3,
        "events": {"train": 18, "valid": 6, "test": 6},
        "impressions": {"train": 18, "valid": 6, "test": 6},
        "candidates": 30,
    }
    counted = {name: rule(log, name) for name in ("unresolved events", "repeated events")}
    assert [(c["rows_in"], c["rows_out"]) for c in counted.values()] == [(32, 31), (31, 30)]


@pytest.mark.slow
def test_tables_are_equal_whatever_the_threads() -> None:
    rows = [(f"u{n % 50}", f"i{n % 37}", n % 97) for n in range(2000)]
    first, log = built(event_log(rows), plan()), event_log(rows)
    log.db.execute("SET threads = 1")
    second = built(log, plan())
    for name in ("items", "users", "timelines", "impressions", "candidates"):
        assert getattr(first, name).equals(getattr(second, name)), name


def test_duplicates_may_be_kept() -> None:
    assert built(event_log([*EVENTS, EVENTS[0]]), plan(duplicates="keep")).timelines.num_rows == 31


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.permutations(EVENTS))
def test_the_order_of_rows_changes_nothing(events: list[tuple]) -> None:
    one, other = (built(event_log(e), plan()) for e in (EVENTS, events))
    assert one.timelines.equals(other.timelines)
    assert one.items.equals(other.items)
    assert sorted(by_name(one)["impressions"]) == sorted(by_name(other)["impressions"])


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.permutations("uvw"))
def test_names_of_users_change_nothing_but_the_names(names: list[str]) -> None:
    named = dict(zip("uvw", names, strict=True))
    back = {new: old for old, new in named.items()}
    found = by_name(built(event_log([(named[u], i, t) for u, i, t in EVENTS]), plan()))
    whole = by_name(built(event_log(EVENTS), plan()))
    for name, rows in found.items():
        assert sorted(((back[u], *rest) for u, *rest in rows), key=str) == sorted(whole[name], key=str)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.permutations(range(24, 30)))
def test_test_events_decide_nothing_about_train_and_valid(order: list[int]) -> None:
    cut = {"method": "global_time", "valid": 0.2, "test": 0.2}
    before = known(EVENTS, **cut)
    permuted = [*EVENTS[:24], *((EVENTS[n][0], EVENTS[n][1], 24 + k) for k, n in enumerate(order))]
    assert known(permuted, **cut) == before
    # The shares are of all events, so without test events the same ones stay train and valid with other shares.
    assert known([*EVENTS[:24], ("u", "a", 99)], valid=0.24, test=0.04) == before


def test_without_test_impressions_train_and_valid_keep_their_numbers() -> None:
    whole = built(impression_log(IMPRESSIONS, "abcdez"), plan(method="given"))
    without = built(impression_log(IMPRESSIONS[:16], "abcdez"), plan(method="given"))
    assert without.items.equals(whole.items)
    assert without.users.equals(whole.users.slice(0, without.users.num_rows))
    kept = without.impressions.num_rows
    assert kept == 16
    named, rest = by_name(whole)["impressions"][:kept], by_name(without)["impressions"]
    assert named == rest


def test_faults() -> None:
    graded = [(u, i, t, "rate", 2.0) for u, i, t in EVENTS]
    with pytest.raises(DataError, match=r"no train event is positive.*data\.relevant_at") as error:
        built(event_log(graded), plan(relevant_at=0.8, grading=grading(values={"rate": stars()})))
    assert error.value.exit_status == 65
    with pytest.raises(DataError, match="none of 30 events has an item of the table of items"):
        built(event_log(EVENTS, items="z"), plan())


@pytest.mark.parametrize("method", ["global_time", "user_time"])
def test_nothing_after_the_end_of_a_window_is_in_its_corpus(method: str) -> None:
    """The corpus of an earlier window is that of a log without the later rows, whatever these are."""
    rng = np.random.default_rng(4)
    rows = [(f"u{rng.integers(5)}", f"i{rng.integers(12)}", n, "hours", float(rng.integers(1, 9))) for n in range(80)]
    graded = {"grading": grading(values={"hours": value_map("quantile")}), "relevant_at": 0.5, "method": method}
    first = built(described(rows), plan(**graded))
    users, items, timelines = (table.to_pylist() for table in (first.users, first.items, first.timelines))
    tested = {
        (users[row["user"]]["user_id"], items[row["item"]]["item_id"], row["time"])
        for row in timelines
        if row["split"] == "test"
    }
    is_later = [(user, item, moment(at).replace(tzinfo=UTC)) in tested for user, item, at, *_ in rows]
    assert sum(is_later) == len(tested)
    kept = [row for row, later in zip(rows, is_later, strict=True) if not later]
    other = [(row[0], f"x{n}", *row[2:4], 50.0) if is_later[n] else row for n, row in enumerate(rows)]
    whole = built(described(kept), plan(**graded))
    for log in (rows, other):
        window = built(described(log), plan(**graded, window=2))
        for name in ("items", "users", "timelines", "impressions", "candidates"):
            assert getattr(window, name).equals(getattr(whole, name)), name
        assert (window.value_maps, window.counts) == (whole.value_maps, whole.counts)


def described(rows: list[tuple]) -> RawLog:
    """A log whose events describe their items, by a title that changes with time."""
    log = event_log(rows, items=[])
    first = log.number("SELECT min(ord) FROM events")
    for n, (_, item, *_) in enumerate(rows):
        values = [item, f"{item} as of {n // 20}", "", None, float(n), None, first + n, first + n]
        log.db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
    return log
