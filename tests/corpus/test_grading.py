"""Intensities by hand: weights, values, what was withdrawn or disliked, several events as one, age."""

import math

import numpy as np
import pytest

from interestrec.core.errors import ConfigError, DataError
from interestrec.corpus.grading import grade
from interestrec.corpus.preprocess_settings import IntensitySettings, ValueMapSettings
from interestrec.rawfiles.raw_log import RawLog
from tests.corpus.logs import (
    built,
    by_name,
    coded,
    event_log,
    grading,
    impression_log,
    plan,
    rows_of,
    rule,
    stars,
    value_map,
)

DAY = 86400


def intensities(log: RawLog) -> list[float]:
    return [round(row[0], 6) for row in rows_of(log, "intensity")]


def graded(
    events: list[tuple],
    chosen: IntensitySettings,
    splits: str | None = None,
    tolerated: int = 0,
    items: dict | None = None,
) -> RawLog:
    log = coded(event_log(events, items), splits or "T" * len(events))
    grade(log, chosen, tolerated)
    return log


def test_intensity_is_weight_times_mapped_value() -> None:
    events = [("u", "a", 1, "rate", 1.0), ("u", "b", 1, "rate", 4.0), ("u", "c", 1, "watch", 5.0)]
    chosen = grading(weights={"rate": 1.0, "watch": 0.5}, values={"rate": stars()})
    assert intensities(graded(events, chosen)) == [0.0, 0.75, 0.5]  # a value without a map does not count
    both = grading(weights={"rate": 1.0, "watch": 0.5}, values={"rate": stars(), "watch": value_map("log", high=35.0)})
    assert intensities(graded(events, both)) == [0.0, 0.75, 0.25]  # log 6 / log 36 = 1/2


def test_without_weights_and_values_all_are_one() -> None:
    assert intensities(graded([("u", "a", 1), ("u", "b", 2, "buy")], grading())) == [1.0, 1.0]


def test_an_event_type_without_weight_is_an_error() -> None:
    events = [("u", "a", 1, "view"), ("u", "b", 1, "like")]
    with pytest.raises(ConfigError, match=r"no weight.*those listed: view, liked; the type is 'like' \(did"):
        graded(events, grading(weights={"view": 0.1, "liked": 1.0}))
    graded(events, grading(weights={"view": 0.1}, negative={"like": "zero"}))  # a negative one needs none


@pytest.mark.parametrize("asked", [{"values": {"rats": stars()}}, {"negative": {"rats": "zero"}}])
def test_a_type_that_the_log_lacks_is_an_error(asked: dict) -> None:
    key = next(iter(asked))
    message = rf"intensity\.{key}: no event of the log is of type 'rats' \(did you mean 'rate'\?\); there are: rate"
    with pytest.raises(ConfigError, match=message) as error:
        graded([("u", "a", 1, "rate", 2.0)], grading(**asked))
    assert error.value.exit_status == 78


@pytest.mark.parametrize(("value", "shown"), [(5.5, "5.5"), (0.5, "0.5"), (None, "nothing")])
def test_values_out_of_range_are_bad_rows(value: float | None, shown: str) -> None:
    events = [("u", "a", 1, "rate", 3.0), ("u", "b", 1, "rate", value), ("u", "b", 1, "view", 9.0)]
    chosen = grading(values={"rate": stars()})
    with pytest.raises(
        DataError, match=rf"e\.csv:2: the value is {shown}, .*values\.rate expects 1 to 5; 1 such row"
    ) as error:
        graded(events, chosen)
    assert error.value.exit_status == 65
    tolerant = graded(events, chosen, tolerated=1)
    assert intensities(tolerant) == [0.5, 1.0]
    assert rule(tolerant, "values out of range")["examples"] == [f"e.csv:2: {shown}"]


def test_what_other_maps_expect() -> None:
    with pytest.raises(DataError, match=r"the value is -1\.0, .* expects 0 or more"):
        graded([("u", "a", 1, "stay", -1.0)], grading(values={"stay": value_map("log")}))
    with pytest.raises(DataError, match=r"the value is nothing, .* expects a number"):
        graded([("u", "a", 1, "stay", None)], grading(values={"stay": value_map("quantile")}))


def test_a_missing_value_may_be_given() -> None:
    events = [("u", "a", 1, "rate", 2.0), ("u", "b", 1, "rate", None)]
    chosen = grading(weights={"rate": 0.5}, values={"rate": stars(missing=0.6)})
    assert intensities(graded(events, chosen)) == [0.125, 0.3]
    with pytest.raises(DataError, match=r"the value is 5\.5"):
        graded([*events, ("u", "c", 1, "rate", 5.5)], chosen)


def test_bounds_of_the_map_are_in_range() -> None:
    events = [("u", "a", 1, "rate", 1.0), ("u", "b", 1, "rate", 5.0)]
    assert intensities(graded(events, grading(values={"rate": stars()}))) == [0.0, 1.0]


def test_seconds_by_hundred_words() -> None:
    # 200 words: 30 s are 15 a hundred; 50 words: 60; 100: 30; no words: the median of train: 100
    items = {"a": "word " * 200, "b": "x " * 50, "c": "y  \n" * 100, "d": "", "e": "new in test " * 100}
    events = [("u", item, 1, "read", 30.0) for item in "abcde"]
    chosen = grading(values={"read": value_map("threshold", thresholds=[12.0, 20.0, 25.0, 50.0], per_words=True)})
    assert intensities(graded(events, chosen, "TTTTE", items=items)) == [0.25, 1.0, 0.75, 0.75, 0.0]


def test_words_of_test_rows_do_not_count() -> None:
    log = event_log([("u", "a", 1, "read", 30.0), ("u", "a", 2, "read", 30.0), ("u", "b", 3, "read", 30.0)], items={})
    for row, (item, count) in enumerate([("a", 100), ("a", 300), ("b", 300)], 1):
        values = [item, "", "x " * count, None, None, None, row, row]
        log.db.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
    chosen = value_map("threshold", thresholds=[5.0, 10.0, 20.0, 30.0], per_words=True)
    grade(coded(log, "TEE"), grading(values={"read": chosen}), 0)
    assert intensities(log) == [1.0, 1.0, 0.5]  # a has 100 words, b 300


def test_quantile_by_hundred_words_is_fitted_on_the_quotients() -> None:
    items = {"a": "x " * 100, "b": "x " * 400}
    events = [("u", "a", 1, "read", 30.0), ("u", "b", 1, "read", 40.0), ("u", "b", 1, "read", 160.0)]
    log = coded(event_log(events, items), "TTT")
    fitted = grade(log, grading(values={"read": value_map("quantile", per_words=True)}), 0)["read"]
    assert fitted["knots"] == [10.0, 30.0, 40.0]
    assert fitted["per"] == "100 words"
    assert intensities(log) == [0.5, 0.166667, 0.833333]


def test_a_dislike_is_zero() -> None:
    events = [("u", "a", 1, "view"), ("u", "a", 2, "dislike"), ("u", "b", 3, "dislike", 5.0)]
    assert intensities(graded(events, grading(negative={"dislike": "zero"}))) == [1.0, 0.0, 0.0]


def kept(kinds: str, splits: str | None = None) -> str:
    """Which of one pair's events stay: b is a buy, c a cancellation, v a view."""
    names = {"b": "buy", "c": "cancel", "v": "view"}
    events = [("u", "a", n, names[kind]) for n, kind in enumerate(kinds)]
    log = graded(
        [*events, ("w", "a", 0, "cancel")], grading(negative={"cancel": "withdraw"}), (splits or "T" * len(kinds)) + "T"
    )
    return "".join(kinds[row - 1] + str(row - 1) for (row,) in rows_of(log, "row"))


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ("bbc", "b0"),  # the latest before it
        ("bc", ""),
        ("cb", "b1"),  # what comes later is not taken back
        ("bbcc", ""),
        ("bcb", "b2"),
        ("bcc", ""),
        ("bccb", "b3"),  # a cancellation of nothing takes nothing
        ("bvc", "b0"),  # whatever it was
        ("bbcbc", "b0"),
    ],
)
def test_a_withdrawal_takes_back_the_latest_event(kinds: str, left: str) -> None:
    assert kept(kinds) == left


def test_a_withdrawal_in_a_later_split_leaves_train_as_it_is() -> None:
    assert kept("bcb", "TEE") == "b0b2"
    assert kept("bbc", "TEE") == "b0"
    assert kept("bvc", "TVE") == "b0v1"


def test_a_withdrawal_is_of_the_same_user_and_item() -> None:
    events = [("u", "a", 1, "buy"), ("u", "b", 2, "buy"), ("v", "a", 3, "buy"), ("u", "a", 4, "cancel")]
    log = graded(events, grading(negative={"cancel": "withdraw"}))
    assert rows_of(log, "row") == [(2,), (3,)]
    counted = rule(log, "withdrawn events")
    assert (counted["rows_in"], counted["rows_out"]) == (4, 2)
    assert counted["examples"] == ["e.csv:1", "e.csv:4"]


PAIR = [
    ("u", "a", 3, "like"),  # 0.5
    ("u", "a", 1, "view"),  # 0.2
    ("u", "a", 2, "buy"),  # 0.9
    ("u", "b", 5, "view"),
    ("v", "a", 9, "view"),
    ("u", "a", 9, "view"),  # of test
]
WEIGHTS = {"view": 0.2, "like": 0.5, "buy": 0.9}


@pytest.mark.parametrize(
    ("how", "one"),
    [("max", 0.9), ("sum", 1.0), ("last", 0.5), ("noisy_or", 1 - 0.5 * 0.8 * 0.1)],
)
def test_events_of_a_pair_are_combined(how: str, one: float) -> None:
    log = graded(PAIR, grading(weights=WEIGHTS, combine=how), "TTTTTE")
    found = {
        (u, i, s): (event, round(value, 5))
        for u, i, s, event, value in rows_of(log, "user_id, item_id, split, event, intensity")
    }
    assert found == {
        ("u", "a", "train"): ("buy", pytest.approx(one, abs=1e-5)),  # the type of the strongest
        ("u", "b", "train"): ("view", 0.2),
        ("v", "a", "train"): ("view", 0.2),
        ("u", "a", "test"): ("view", 0.2),
    }
    assert log.sql("SELECT epoch(time) FROM events WHERE split = 'train' ORDER BY time") == [(3,), (5,), (9,)]
    counted = rule(log, "combined events")
    assert (counted["rows_in"], counted["rows_out"]) == (6, 4)


def test_a_sum_below_one_is_a_sum() -> None:
    events = [("u", "a", 1, "view"), ("u", "a", 2, "like"), ("u", "a", 3, "view")]
    assert intensities(graded(events, grading(weights=WEIGHTS, combine="sum"))) == [0.9]


@pytest.mark.parametrize("how", ["max", "sum", "last", "noisy_or"])
def test_a_dislike_as_the_last_word_makes_the_pair_zero(how: str) -> None:
    chosen = grading(weights=WEIGHTS, combine=how, negative={"dislike": "zero"})
    assert intensities(graded([("u", "a", 1, "buy"), ("u", "a", 2, "dislike")], chosen)) == [0.0]
    assert intensities(graded([("u", "a", 1, "dislike"), ("u", "a", 2, "like")], chosen)) == [0.5]
    # of another split it is no last word
    assert intensities(graded([("u", "a", 1, "buy"), ("u", "a", 2, "dislike")], chosen, "TE")) == [0.9, 0.0]


def test_combining_needs_an_event_log() -> None:
    log = coded(impression_log([("1", "u", 1, "train", "", "a-1 b-0")], "ab"), "T")
    with pytest.raises(ConfigError, match=r"combine needs an event log") as error:
        grade(log, grading(combine="max"), 0)
    assert error.value.exit_status == 78


def test_train_events_fade_by_their_age_at_the_end_of_train() -> None:
    # ages 14, 7, 3.5 and 0 days
    events = [("u", item, day * DAY, "view") for item, day in [("a", 0), ("b", 7), ("c", 10.5), ("d", 14)]]
    late = [("u", "e", 15 * DAY, "view"), ("u", "f", 40 * DAY, "view")]
    log = graded([*events, *late], grading(weights={"view": 0.8}, half_life_days=7.0), "TTTTVE")
    assert intensities(log) == [0.2, 0.4, round(0.8 / math.sqrt(2), 6), 0.8, 0.8, 0.8]


def test_fading_needs_the_times_of_train() -> None:
    with pytest.raises(ConfigError, match="half_life_days needs a time of every train event"):
        graded([("u", "a", 1), ("u", "b", None)], grading(half_life_days=7.0))
    assert intensities(graded([("u", "a", 1), ("u", "b", None)], grading(half_life_days=7.0), "TE")) == [1.0, 1.0]


@pytest.mark.parametrize(
    "chosen",
    [value_map("log"), value_map("quantile"), value_map("quantile", per_words=True)],
)
def test_test_values_decide_nothing_about_train(chosen: ValueMapSettings) -> None:
    rng = np.random.default_rng(0)
    items = {"a": "one two three", "b": "four", "c": "", "d": "five six"}
    events = [("u", "abcd"[n % 4], n, "stay", float(rng.integers(0, 100))) for n in range(40)]
    later = [*events[:30], *((*event[:4], 1e4 + n) for n, event in enumerate(events[30:]))]
    one, other = (
        graded(e, grading(values={"stay": chosen}, half_life_days=1.0), "T" * 25 + "V" * 5 + "E" * 10, items=items)
        for e in (events, later)
    )
    assert intensities(one)[:30] == intensities(other)[:30]
    assert intensities(one)[30:] != intensities(other)[30:]
    assert len(set(intensities(one)[:25])) > 5


def test_a_type_without_a_train_value_has_a_map_all_the_same() -> None:
    events = [("u", "a", 1, "view"), ("u", "b", 2, "stay", 7.0)]
    assert intensities(graded(events, grading(values={"stay": value_map("quantile")}), "TE")) == [1.0, 0.5]


def test_a_map_of_clicks_may_be_asked_of_a_log_without() -> None:
    assert intensities(graded([("u", "a", 1)], grading(values={"click": value_map("log")}))) == [1.0]


def test_entries_of_stated_histories_are_graded_by_what_was_measured() -> None:
    log = impression_log(
        [
            ("1", "u", 1, "train", "a b", "c-1 d-0"),
            ("2", "v", 2, "train", "b", "c-1 d-0"),
            ("3", "w", 3, "valid", "", "c-1 d-0"),
            ("4", "w", 4, "test", "", "c-1 d-0"),
        ],
        "abcd",
    )
    log.db.execute("UPDATE segments SET amounts = [3.0, NULL] WHERE len(items) = 2")
    clicks = {"click": value_map("log", high=7, missing=0.25)}
    found = by_name(built(log, plan(method="given", grading=grading(weights={"click": 0.8}, values=clicks))))
    history = [
        (user, item, intensity) for user, item, _, event, intensity, _ in found["timeline"] if event == "history"
    ]
    # log(1 + 3) / log(1 + 7) = 2/3; an entry of a history without measurements weighs what a click does.
    assert history == [("u", "a", pytest.approx(0.8 * 2 / 3)), ("u", "b", 0.2), ("v", "b", 0.8)]
    assert found["impressions"][0][3] == (("c", pytest.approx(0.2)), ("d", 0.0))


def test_history_entries_that_no_map_takes_weigh_what_a_click_does() -> None:
    splits = ("train", "valid", "test")
    log = impression_log([(str(n), "u", n, split, "a b c", "c-1 d-0") for n, split in enumerate(splits)], "abcd")
    log.db.execute("UPDATE segments SET amounts = [7.0, -5.0, NULL]")
    log.db.execute("UPDATE clicks SET amount = 1.0")
    clicks = {"click": value_map("log", high=63)}
    found = by_name(built(log, plan(method="given", grading=grading(weights={"click": 0.5}, values=clicks))))
    stated = [(item, intensity) for _, item, _, event, intensity, _ in found["timeline"] if event == "history"]
    assert stated == [("a", 0.25), ("b", 0.5), ("c", 0.5)]  # log 8 / log 64 = 1/2
    assert "1 entries count as not measured" in rule(log, "history values out of range")["reason"]


def test_a_type_may_have_an_apostrophe() -> None:
    kinds = ["it's", "no'"] * 3
    log = event_log([("u", "abcdef"[n], n, kind, 1.0) for n, kind in enumerate(kinds)])
    how = grading(weights={"it's": 0.25}, values={"it's": value_map("linear", low=0, high=2)}, negative={"no'": "zero"})
    found = by_name(built(log, plan(grading=how)))
    assert [row[4] for row in found["timeline"]] == [0.125, 0.0] * 3


def test_the_fitted_parameters_are_told() -> None:
    events = [("u", "abcde"[n % 5], n, "rate", 1.0 + n % 5) for n in range(20)]
    tables = built(event_log(events), plan(grading=grading(values={"rate": value_map("log")}), relevant_at=0.5))
    assert tables.value_maps == {"rate": {"map": "log", "high": pytest.approx(5.0)}}
    intensity = {item: value for _, item, _, _, value, _ in by_name(tables)["timeline"]}
    assert intensity["b"] == pytest.approx(math.log(3) / math.log(6), abs=1e-6)
