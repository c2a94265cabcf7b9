"""From logs filled in by hand to the tables of a corpus."""

from typing import Any

import pyarrow as pa
import pytest

from interestrec.core.errors import ConfigError, DataError
from interestrec.core.raw_log import Log
from interestrec.corpus.build import Tables, build, counts
from tests.corpus.logs import event_log, mind_log, plan

DAYS = [f"2026-03-{day:02d}" for day in range(1, 11)]
# One user, ten events, one a day.
TEN = [("u", f"i{day}", time, "view", None) for day, time in enumerate(DAYS)]


def events_of(tables: Tables) -> list[tuple[str, str, str, float]]:
    """(user, item, split, intensity) in the order of the timelines, by string ids."""
    user, item = tables.users["user_id"].to_pylist(), tables.items["item_id"].to_pylist()
    rows = tables.timelines.to_pylist()
    return [(user[r["user"]], item[r["item"]], r["split"], round(r["intensity"], 6)) for r in rows]


def histories(tables: Tables) -> dict[str, list[str]]:
    """Item ids of the history of each impression, by the impression's first candidate and split."""
    item, rows = tables.items["item_id"].to_pylist(), tables.timelines.to_pylist()
    first = {}
    for row in reversed(tables.candidates.to_pylist()):
        first[row["impression"]] = item[row["item"]]
    found = {}
    for row in tables.impressions.to_pylist():
        theirs = [item[r["item"]] for r in rows if r["user"] == row["user"]]
        found[first[row["impression"]]] = theirs[row["history_start"] : row["history_end"]]
    return found


def test_global_time_keeps_the_future_for_test() -> None:
    found = events_of(build(event_log(TEN), plan()))
    assert [split for _, _, split, _ in found] == ["train"] * 6 + ["valid"] * 2 + ["test"] * 2


def test_equal_times_stay_together() -> None:
    rows = [*TEN[:7], ("u", "i7", DAYS[8], "view", None), *TEN[8:]]  # the cut falls between two equal times
    assert [split for _, _, split, _ in events_of(build(event_log(rows), plan(test=0.2)))][-3:] == ["test"] * 3


def test_user_time_takes_the_last_of_each_user_and_ties_by_row() -> None:
    rows = [(user, f"i{n}", DAYS[0], "view", None) for user in ("a", "b") for n in range(5)]
    found = events_of(build(event_log(rows), plan(method="user_time")))
    assert [split for _, _, split, _ in found] == (["train"] * 3 + ["valid", "test"]) * 2
    assert [item for _, item, _, _ in found[:5]] == [f"i{n}" for n in range(5)]


def test_user_random_needs_no_time_and_forgets_the_order_of_rows() -> None:
    rows = [("a", f"i{n}", None, "play", None) for n in range(10)]
    one = events_of(build(event_log(rows), plan(method="user_random")))
    other = events_of(build(event_log(rows[::-1]), plan(method="user_random")))
    assert sorted(one) == sorted(other)
    assert [split for _, _, split, _ in one] == ["train"] * 6 + ["valid"] * 2 + ["test"] * 2
    seeded = events_of(build(event_log(rows), plan(method="user_random", seed=2)))
    assert sorted(seeded) != sorted(one)


def test_a_history_ends_strictly_before_the_event() -> None:
    rows = [("u", "a", DAYS[0], "v", None), ("u", "b", DAYS[1], "v", None), ("u", "c", DAYS[1], "v", None)]
    rows += [("w", f"x{n}", DAYS[2 + n], "v", None) for n in range(4)]
    found = histories(build(event_log(rows), plan()))
    assert found["a"] == []
    assert found["b"] == found["c"] == ["a"]
    assert found["x3"] == ["x0", "x1", "x2"]


def test_without_times_a_history_is_what_earlier_splits_know() -> None:
    rows = [("a", f"i{n}", None, "play", None) for n in range(10)]
    tables = build(event_log(rows), plan(method="user_random"))
    order = [item for _, item, _, _ in events_of(tables)]
    found = histories(tables)
    assert [found[item] for item in order] == [order[:n] for n in range(6)] + [order[:6]] * 2 + [order[:8]] * 2


def test_intensity_is_weight_times_mapped_value() -> None:
    rows = [("u", f"i{n}", DAYS[n], "buy" if n % 2 else "view", 1.0 + n % 5) for n in range(10)]
    tables = build(event_log(rows), plan(weights={"view": 0.5, "buy": 1.0}, limits=(1.0, 5.0), relevant_at=0.5))
    expected = [(0.5, 1.0)[n % 2] * (n % 5) / 4 for n in range(10)]
    assert [intensity for _, _, _, intensity in events_of(tables)] == pytest.approx(expected)
    labels = tables.candidates["label"].to_pylist()
    assert sorted(labels) == pytest.approx(sorted(expected))


def test_values_outside_the_map_are_refused_or_counted() -> None:
    rows = [*TEN[:9], ("u", "i9", DAYS[9], "view", 6.0)]
    rows = [(u, i, t, e, 3.0 if v is None else v) for u, i, t, e, v in rows]
    with pytest.raises(DataError, match=r"events.csv:10: the value is 6.0, .* maps 1 to 5"):
        build(event_log(rows), plan(limits=(1.0, 5.0)))
    log = event_log(rows)
    assert build(log, plan(limits=(1.0, 5.0), max_bad_rows=1)).timelines.num_rows == 9
    assert rule(log, "values out of range")["rows_out"] == 9


def test_a_type_without_a_weight() -> None:
    with pytest.raises(ConfigError, match=r"event type 'view' .*no weight \(did you mean 'views'\?\)"):
        build(event_log(TEN), plan(weights={"views": 1.0}))


def test_repeated_and_unresolved_events_are_counted() -> None:
    log = event_log([*TEN, TEN[3], ("u", "gone", DAYS[0], "view", None)], items=[f"i{n}" for n in range(10)])
    assert build(log, plan()).timelines.num_rows == 10
    assert (rule(log, "repeated events")["rows_in"], rule(log, "repeated events")["rows_out"]) == (12, 11)
    assert rule(log, "unresolved events")["examples"] == ["u gone"]
    kept = event_log([*TEN, TEN[3]])
    assert build(kept, plan(drop_duplicates=False)).timelines.num_rows == 11


def rule(log: Log, name: str) -> dict[str, Any]:
    return next(entry for entry in log.quality.rules if entry["rule"] == name)


@pytest.mark.parametrize(
    ("rows", "changes", "reason"),
    [
        ([*TEN, ("u", "i1", None, "view", None)], {}, "events.csv:11: no time, .*use user_random"),
        (TEN[:2], {}, "the (train|valid|test) split is empty"),
        ([], {}, "no event is left"),
        (TEN, {"relevant_at": 0.9, "weights": {"view": 0.5}}, "no train event is positive"),
        (TEN, {"method": "given"}, "no files a split"),
    ],
)
def test_logs_that_leave_nothing_to_work_with(rows: list[tuple], changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        build(event_log(rows), plan(**changes))


def test_numbers_of_train_and_valid_do_not_depend_on_test() -> None:
    rows = [(f"u{n % 3}", f"i{n % 4}", DAYS[n], "view", None) for n in range(10)]
    rows += [("a-late-user", "a-late-item", "2026-03-11", "view", None)]
    tables = build(event_log(rows), plan())
    assert tables.items["item_id"].to_pylist()[-1] == "a-late-item"
    assert tables.users["user_id"].to_pylist()[-1] == "a-late-user"
    other = build(event_log([*rows[:-1], ("b-late-user", "i0", "2026-03-11", "view", None)]), plan())
    assert other.users["user_id"].to_pylist()[:3] == tables.users["user_id"].to_pylist()[:3]
    assert other.items["item_id"].to_pylist() == tables.items["item_id"].to_pylist()[:4] == ["i0", "i1", "i2", "i3"]


def test_an_item_described_by_its_events_takes_the_most_frequent_train_text() -> None:
    rows = [("u", "i0", DAYS[n], "view", None) for n in range(9)] + [("u", "i9", DAYS[9], "view", None)]
    log = event_log(rows)
    log.db.execute("DELETE FROM items")
    titles = ["old name", "old name", "name", "name", "name", "", "test", "test", "test", "only in test"]
    for number, title in enumerate(titles):
        values = ["i9" if number == 9 else "i0", title, number, number]
        log.db.execute("INSERT INTO items VALUES (?, ?, '', NULL, NULL, NULL, ?, ?)", values)
    tables = build(log, plan(valid=0.1, test=0.3))
    found = dict(zip(tables.items["item_id"].to_pylist(), tables.items["title"].to_pylist(), strict=True))
    assert found == {"i0": "name", "i9": "only in test"}


MIND = [
    ("u", "2019-11-09 10:00:00", "train", ["a", "b"], ["c", "d"], [0.0, 1.0]),
    ("u", "2019-11-10 10:00:00", "train", ["a", "b"], ["e", "gone"], [1.0, 0.0]),
    ("u", "2019-11-14 10:00:00", "train", ["b", "d"], ["a", "c"], [1.0, 0.0]),
    ("w", None, "test", [], ["a", "b"], [0.0, 1.0]),
    ("w", None, "test", ["gone"], ["gone"], [1.0]),
]


def test_stated_histories_are_taken_as_stated() -> None:
    tables = build(mind_log(MIND, list("abcde")), plan(method="given", valid_from="2019-11-14"))
    rows = [(item, split) for _, item, split, _ in events_of(tables)]
    assert rows[:4] == [("a", "train"), ("b", "train"), ("b", "valid"), ("d", "valid")]
    assert rows[4:] == [("d", "train"), ("e", "train"), ("a", "valid"), ("b", "test")]
    impressions = tables.impressions.to_pylist()
    assert [r["split"] for r in impressions] == ["train", "train", "valid", "test"]
    assert [(r["history_start"], r["history_end"]) for r in impressions] == [(0, 2), (0, 2), (2, 4), (0, 0)]
    assert counts(tables)["impressions"] == {"train": 2, "valid": 1, "test": 1}


def test_a_given_split_without_valid_takes_the_last_tenth_by_time() -> None:
    rows = [(f"u{n}", f"2019-11-09 10:00:{n:02d}", "train", ["a"], ["b", "c"], [0.0, 1.0]) for n in range(10)]
    tables = build(mind_log(rows, list("abc")), plan(method="given", valid=0.1))
    splits = {row["impression_id"]: row["split"] for row in tables.impressions.to_pylist()}
    assert [name for name, split in splits.items() if split == "valid"] == ["9"]
    untimed = [(user, None, *rest) for user, _, *rest in rows]
    tables = build(mind_log(untimed, list("abc")), plan(method="given", valid=0.1))
    assert counts(tables)["impressions"] == {"train": 9, "valid": 1, "test": 0}


def test_clicks_are_graded_like_events() -> None:
    tables = build(mind_log(MIND, list("abcde")), plan(method="given", valid_from="2019-11-14", weights={"click": 0.5}))
    assert {intensity for _, _, _, intensity in events_of(tables)} == {0.5}
    assert set(tables.candidates["label"].to_pylist()) == {0.0, 0.5}


def test_a_time_that_is_none() -> None:
    with pytest.raises(DataError, match="valid_from 'soon' is no time"):
        build(mind_log(MIND, list("abcde")), plan(method="given", valid_from="soon"))


def test_the_halves_of_valid_depend_on_the_user_alone() -> None:
    rows = [(f"u{n}", f"i{n % 3}", DAYS[n % 10], "view", None) for n in range(200)]
    parts = build(event_log(rows), plan()).users.to_pylist()
    again = build(event_log(rows[:100]), plan()).users.to_pylist()
    known = {row["user_id"]: row["valid_part"] for row in parts}
    assert all(known[row["user_id"]] == row["valid_part"] for row in again)
    share = sum(part == "valid_select" for part in known.values()) / len(known)
    assert 0.35 < share < 0.65


def test_tables_are_equal_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"u{n % 50}", f"i{n % 37}", DAYS[n % 10], "view", None) for n in range(2000)]
    first = build(event_log(rows), plan())
    log = event_log(rows)
    log.db.execute("SET threads = 1")
    second = build(log, plan())
    for name in ("items", "users", "timelines", "impressions", "candidates"):
        one, other = getattr(first, name), getattr(second, name)
        assert isinstance(one, pa.Table)
        assert one.equals(other), name
