"""Cleaning rules, each by hand."""

import pytest

from interestrec.core.errors import ConfigError
from interestrec.corpus import cleaning
from interestrec.corpus.preprocess_settings import KCoreSettings, RobotSettings
from tests.corpus.logs import built, by_name, coded, column, event_log, impression_log, listed, plan, rows_of, rule


def left(log) -> list[int]:
    """Rows of the file whose events are left."""
    return [row for (row,) in rows_of(log, "row")]


def test_only_events_equal_in_everything_are_repeated() -> None:
    log = event_log(
        [
            ("u", "a", 1, "view", 2.0),
            ("u", "a", 1, "view", 2.0),
            ("u", "a", 1, "view", 3.0),
            ("u", "a", 2, "view", 2.0),
            ("u", "a", 1, "like", 2.0),
            ("u", "b", 1, "view", 2.0),
            ("v", "a", 1, "view", 2.0),
            ("v", "a", None),
            ("v", "a", None),
        ]
    )
    cleaning.drop_repeated_events(coded(log))
    assert left(log) == [1, 3, 4, 5, 6, 7, 8]
    counted = rule(log, "repeated events")
    assert (counted["rows_in"], counted["rows_out"]) == (9, 7)
    assert counted["examples"] == ["u a 1970-01-01 00:00:01", "v a"]


def test_unresolved_events_and_repeated_items() -> None:
    log = coded(event_log([("u", "a", 1), ("u", "x", 2)], items="aba"))
    assert rows_of(log, "item_id") == [("a",)]
    assert rule(log, "unresolved events")["examples"] == ["u x"]
    assert log.sql("SELECT item_id, ord - base FROM items ASOF JOIN sources ON ord > base ORDER BY ord") == [
        ("a", 1),
        ("b", 2),
    ]
    assert rule(log, "repeated items")["examples"] == ["a"]


def test_unresolved_ids_leave_histories_and_candidates() -> None:
    log = impression_log(
        [
            ("1", "u", 1, "train", "x b a x", "y-0 a-1 x-1 b-0"),
            ("2", "u", 2, "train", "", "x-1 y-0"),
            ("3", "v", 3, "test", "x", "a-1 b-1"),
        ],
        items="ab",
    )
    rows = log.sql(
        "SELECT impression_id, items, shown, labels FROM impressions LEFT JOIN impression_segments USING (ord) "
        "LEFT JOIN segments USING (segment) ORDER BY impressions.ord"
    )
    assert [
        (name, listed(log, history or []), listed(log, shown), labels) for name, history, shown, labels in rows
    ] == [
        ("1", "ba", "ab", [1, 0]),
        ("3", "", "ab", [1, 1]),
    ]
    history, shown = rule(log, "unresolved history entries"), rule(log, "unresolved candidates")
    assert (history["rows_in"], history["rows_out"], history["examples"]) == (5, 2, ["x (3)"])
    assert (shown["rows_in"], shown["rows_out"], shown["examples"]) == (8, 4, ["x (2)", "y (2)"])
    assert rule(log, "impressions without candidates")["examples"] == ["b.tsv:2"]
    assert rule(log, "one-class impressions")["reason"].endswith(": 1")
    assert rows_of(coded(log), "row, item_id, place") == [(1, "a", 0), (3, "a", 0), (3, "b", 1)]


def test_of_a_burst_the_first_is_kept() -> None:
    log = event_log(
        [
            ("u", "a", 10.0),
            ("u", "a", 11.5),  # 1.5 s after the first
            ("u", "a", 13.0),  # 1.5 s after the second, which is part of the run
            ("u", "a", 15.0),  # exactly 2 s after the third
            ("u", "a", 15.0, "buy"),  # another type
            ("u", "b", 10.1),
            ("v", "a", 10.1),
            ("v", "a", None),
            ("v", "a", None),
        ]
    )
    cleaning.drop_bursts(coded(log), 2.0)
    assert left(log) == [1, 4, 5, 6, 7, 8, 9]
    counted = rule(log, "bursts")
    assert (counted["rows_in"], counted["rows_out"]) == (9, 7)
    assert counted["examples"] == ["u a 1970-01-01 00:00:11.5", "u a 1970-01-01 00:00:13"]


def busy(counts: dict[str, int], seconds: int) -> list[tuple]:
    """So many events of each user, of different items, so many seconds apart."""
    return [(user, f"i{n}", n * seconds) for user, count in counts.items() for n in range(count)]


def test_robots_by_the_minute() -> None:
    # u: four events in the minute 0-59, v: three, w: five, all but three in test
    events = [*busy({"u": 4, "v": 3, "w": 5}, 10), ("u", "i9", 300), ("x", "i1", None), *busy({"x": 5}, 60)]
    events += [("y", f"i{n}", None) for n in range(9)]  # no time tells nothing
    log = coded(event_log(events), "TTTT" + "TTT" + "TTTEE" + "E" + "TTTTTT" + "T" * 9)
    cleaning.drop_robots(log, RobotSettings(a_minute=3, spread=None))
    assert left(log) == [row for row in range(5, 29) if row != 13]  # all of u goes, in test, too
    counted = rule(log, "robots")
    assert (counted["rows_in"], counted["rows_out"], len(counted["examples"])) == (28, 23, 3)


def test_robots_by_volume_are_told_by_train() -> None:
    # log(1 + n) of n = 1, 1, 3, 3, 7: ln 2 × (1, 1, 2, 2, 3); Q1 = ln 2, Q3 = 2 ln 2; the fence of spread s is
    # (2 + s) ln 2, below 3 ln 2 for s = 0.9 and above for s = 1.1.
    train = {"a": 1, "b": 1, "c": 3, "d": 3, "e": 7}
    rows = busy(train, 1000)
    late = [("b", f"i{n}", 99_000 + n) for n in range(50)]  # many of test say nothing
    for spread, users in ((0.9, "abcd"), (1.1, "abcde")):
        log = coded(event_log([*rows, *late]), "T" * 15 + "E" * 50)
        cleaning.drop_robots(log, RobotSettings(a_minute=None, spread=spread))
        assert {user for (user,) in rows_of(log, "user_id")} == set(users)
        assert log.number("SELECT count(*) FROM events WHERE split = 'test'") == 50


def test_robots_take_their_impressions_along() -> None:
    shown = [(str(n), "u" if n < 3 else "v", 60 * (n // 3), "train", "", "a-1 b-0") for n in range(4)]
    log = coded(impression_log([*shown, ("9", "u", 900, "test", "", "a-1 b-0")], "ab"))
    cleaning.drop_robots(log, RobotSettings(a_minute=2, spread=None))
    assert log.sql("SELECT impression_id FROM impressions") == [("3",)]
    assert rows_of(log, "user_id") == [("v",)]
    assert rule(log, "impressions of robots")["rows_out"] == 1


# Two events of each user; of items, a has one only.
CHAIN = [("1", "a"), ("1", "b"), ("2", "b"), ("2", "c"), ("3", "c"), ("3", "d"), ("3", "d")]


def test_k_core_goes_on_to_the_fixed_point() -> None:
    """Rounds: a goes; then 1, left with b, and b, left with 2; then 2, left with c, and c, left with 3."""
    log = event_log([(user, item, n) for n, (user, item) in enumerate(CHAIN)])
    cleaning.keep_core(coded(log, "T" * 7), KCoreSettings(users=2, items=2))
    assert left(log) == [6, 7]
    assert (rule(log, "k-core")["rows_in"], rule(log, "k-core")["rows_out"]) == (7, 2)


def test_k_core_counts_train_alone_and_leaves_what_is_new() -> None:
    train = [("u", "a"), ("u", "a"), ("v", "a"), ("u", "b")]
    late = [("v", "a"), ("u", "b"), ("new", "a"), ("u", "fresh"), ("new", "fresh"), ("new", "b")]
    log = event_log([(user, item, n) for n, (user, item) in enumerate([*train, *late])])
    cleaning.keep_core(coded(log, "TTTTVEVEEE"), KCoreSettings(users=2, items=2))
    # v and b have one event of train each, whatever comes later; a keeps two of u
    assert rows_of(log, "user_id, item_id") == [("u", "a")] * 2 + [("new", "a"), ("u", "fresh"), ("new", "fresh")]


def test_k_core_of_users_alone() -> None:
    log = event_log([(user, item, n) for n, (user, item) in enumerate(CHAIN)])
    cleaning.keep_core(coded(log, "T" * 7), KCoreSettings(users=3, items=1))
    assert left(log) == [5, 6, 7]


def test_k_core_needs_an_event_log() -> None:
    log = coded(impression_log([("1", "u", 1, "train", "", "a-1 b-0")], "ab"))
    with pytest.raises(ConfigError, match=r"k_core needs an event log"):
        cleaning.keep_core(log, KCoreSettings(users=2, items=2))


def test_near_duplicate_items_are_one() -> None:
    texts = {
        "a": "The Cat, again!",
        "b": "a dog",
        "c": "the cat  AGAIN",
        "d": "",
        "e": "",
        "f": "Café 東京",
        "g": "Café 大阪",
    }
    log = event_log([(user, item, n) for n, (user, item) in enumerate([("u", "c"), ("v", "a"), ("u", "d")])], texts)
    coded(log, merge=True)
    codes = dict(log.sql("SELECT item_id, item FROM item_codes"))
    assert codes["a"] == codes["c"] == 0
    assert len(set(codes.values())) == 6  # items without words are not alike
    assert rows_of(log, "item_id") == [("a",), ("a",), ("d",)]
    counted = rule(log, "near-duplicate items")
    assert (counted["rows_in"], counted["rows_out"], counted["examples"]) == (7, 6, ["c = a"])


def test_events_of_merged_items_go_to_the_first_and_repeats_are_found() -> None:
    events = [("u", "a", 1), ("u", "c", 1), ("v", "c", 2), ("v", "b", 3), ("u", "b", 4)]
    log = event_log(events, {"a": "cat", "b": "dog", "c": "Cat"})
    tables = built(log, plan(near_duplicate_items="merge", valid=0.25, test=0.25))
    assert column(tables.items, "item_id") == ["a", "b"]
    assert [(user, item) for user, item, *_ in by_name(tables)["timeline"]] == [
        ("u", "a"),
        ("u", "b"),
        ("v", "a"),
        ("v", "b"),
    ]
    assert rule(log, "repeated events")["rows_out"] == 4


def test_without_merging_they_stay_two() -> None:
    log = coded(event_log([("u", "a", 1)], {"a": "cat", "c": "Cat"}))
    assert log.sql("SELECT item_id, item FROM item_codes ORDER BY item") == [("a", 0), ("c", 1)]
