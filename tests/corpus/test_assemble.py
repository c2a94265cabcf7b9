"""Numbers, timelines and histories by hand."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from interestrec.io import schemas
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import built, by_name, column, event_log, grading, impression_log, moment, plan


def test_known_items_and_users_come_first_then_by_id() -> None:
    events = [("z", "c", 1), ("z", "b", 2), ("y", "c", 3), ("y", "c", 4), ("a", "a", 5)]
    tables = built(event_log(events, items="abcd"), plan())
    assert column(tables.items, "item_id") == ["b", "c", "a", "d"]
    assert column(tables.users, "user_id") == ["y", "z", "a"]


def test_what_train_and_valid_show_or_state_is_known() -> None:
    log = impression_log(
        [("1", "u", 1, "train", "d", "f-0 c-1"), ("2", "u", 2, "valid", "", "e-1"), ("3", "a", 3, "test", "b", "a-1")],
        "abcdef",
    )
    tables = built(log, plan(method="given"))
    assert column(tables.items, "item_id") == ["c", "d", "e", "f", "a", "b"]
    assert column(tables.users, "user_id") == ["u", "a"]


def test_valid_is_halved_by_the_hash_of_the_user() -> None:
    users = [chr(ord("a") + n) for n in range(16)]
    tables = built(event_log([(user, "x", n) for n, user in enumerate(users)]), plan())
    parts = dict(zip(column(tables.users, "user_id"), column(tables.users, "valid_part"), strict=True))
    # md5("a") = 0cc1…, md5("b") = 92eb…
    assert (parts["a"], parts["b"]) == ("valid_select", "valid_blend")
    assert set(parts.values()) == set(schemas.VALID_PARTS)


def test_timelines_and_histories_of_a_log_with_times() -> None:
    events = [("u", "d", 9), ("u", "a", 1), ("u", "c", 5), ("u", "b", 5), ("v", "a", 2), ("u", "e", 8)]
    found = by_name(built(event_log(events), plan(test=0.15, valid=0.15)))
    assert [(user, item, split) for user, item, _, _, _, split in found["timeline"]] == [
        ("u", "a", "train"),
        ("u", "c", "train"),  # of equal times the earlier row first
        ("u", "b", "train"),
        ("u", "e", "valid"),
        ("u", "d", "test"),
        ("v", "a", "train"),
    ]
    assert found["timeline"][0][2] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert [(user, read, shown[0][0]) for user, _, read, shown in found["impressions"]] == [
        ("u", "", "a"),
        ("u", "a", "c"),  # b has the same time and is not before it
        ("u", "a", "b"),
        ("v", "", "a"),
        ("u", "acb", "e"),
        ("u", "acbe", "d"),
    ]


def test_equal_times_across_splits_are_no_history() -> None:
    events = [("u", item, 5) for item in "abcdefghij"]
    found = by_name(built(event_log(events), plan(method="user_time", valid=0.1, test=0.2)))
    assert [read for _, _, read, _ in found["impressions"]] == [""] * 10


@pytest.mark.parametrize("timed", [True, False])
def test_histories_of_a_random_split_hold_no_later_split(timed: bool) -> None:
    events = [("u", chr(ord("a") + n), 100 - n if timed else None) for n in range(20)]
    tables = built(event_log(events), plan(method="user_random", valid=0.1, test=0.2))
    found = by_name(tables)
    items = {name: {i for _, i, _, _, _, split in found["timeline"] if split == name} for name in schemas.SPLITS}
    time = {item: when for _, item, when, _, _, _ in found["timeline"]}
    order = [item for _, item, _, _, _, split in found["timeline"] if split == "train"]
    assert order == (sorted(order, key=time.__getitem__) if timed else sorted(order))
    for _, split, read, [(item, _)] in found["impressions"]:
        if split == "train":
            assert list(read) == order[: order.index(item)]
        else:
            assert set(read) == items["train"] | (items["valid"] if split == "test" else set())


def test_stated_histories_are_segments_and_taken_as_stated() -> None:
    log = impression_log(
        [
            ("1", "u", 9, "train", "a b a", "c-1 d-0"),
            ("2", "u", 3, "train", "", "d-1 c-0"),
            ("3", "u", 5, "valid", "a b", "d-1 c-0"),
            ("4", "u", 7, "valid", "a b a", "a-1 c-0"),
            ("5", "u", None, "test", "b", "c-0 d-1"),
            ("6", "v", None, "test", "", "c-0 d-1"),
        ],
        "abcd",
    )
    found = by_name(built(log, plan(method="given", grading=grading(weights={"click": 0.5}))))
    assert [(u, i, event, intensity, s) for u, i, _, event, intensity, s in found["timeline"]] == [
        *[("u", item, "history", 0.5, "train") for item in "aba"],
        *[("u", item, "history", 0.5, "valid") for item in "ab"],
        ("u", "b", "history", 0.5, "test"),
        ("u", "d", "click", 0.5, "train"),  # by time
        ("u", "c", "click", 0.5, "train"),
        ("u", "d", "click", 0.5, "valid"),
        ("u", "a", "click", 0.5, "valid"),
        ("u", "d", "click", 0.5, "test"),
        ("v", "d", "click", 0.5, "test"),
    ]
    assert [(user, read, shown) for user, _, read, shown in found["impressions"]] == [
        ("u", "aba", (("c", 0.5), ("d", 0.0))),
        ("u", "", (("d", 0.5), ("c", 0.0))),
        ("u", "ab", (("d", 0.5), ("c", 0.0))),
        ("u", "aba", (("a", 0.5), ("c", 0.0))),
        ("u", "b", (("c", 0.0), ("d", 0.5))),
        ("v", "", (("c", 0.0), ("d", 0.5))),
    ]


def test_impression_ids_that_repeat_are_told_apart() -> None:
    rows = [(name, "u", n, split, "", "a-1 b-0") for n, (name, split) in enumerate([("1", "train"), ("1", "train")])]
    rows += [("1", "u", 5, "valid", "", "a-1 b-0")]
    tables = built(impression_log(rows, "ab"), plan(method="given"))
    assert column(tables.impressions, "impression_id") == ["1", "1#2", "1"]


def described(rows: list[tuple[str, str, int]]) -> dict[str, str | None]:
    """Titles chosen where event rows (item, title, seconds) describe the items."""
    log = RawLog()
    log.start_file(Path("e.csv"))
    for n, (item, title, seconds) in enumerate(rows, 1):
        log.db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", ["u", item, moment(seconds), "view", None, n])
        log.db.execute("INSERT INTO items VALUES (?, ?, '', NULL, NULL, NULL, ?, ?, NULL)", [item, title, n, n])
    items = built(log, plan(valid=0.2, test=0.2, duplicates="keep")).items
    return dict(zip(column(items, "item_id"), column(items, "title"), strict=True))


def test_of_several_descriptions_the_most_frequent_of_train_counts() -> None:
    rows = [("a", "rare", 1), ("a", "often", 2), ("a", "often", 3), ("b", "y", 4), ("b", "x", 5), ("c", "", 6)]
    rows += [("a", "late", 7), ("a", "late", 8)]  # valid
    rows += [("a", "late", 9), ("c", "late", 10)]  # test
    rows += [("d", "new", 11)]  # test only
    assert described(rows) == {"a": "often", "b": "x", "c": None, "d": "new"}
