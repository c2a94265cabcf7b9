"""Counters by hand, against DuckDB over raw events, and without any knowledge of the future."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.counters import WINDOWS, EventCounters, are_periods
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.io.schemas import HISTORY_EVENT, SPLITS, TEST, TRAIN, VALID
from tests.examples import examples
from tests.scoring.corpora import DAY, Event, Impression, write_corpus

HOUR = DAY // 24
ROWS = 1000
# Counts, first and last event of an owner before a time, straight from raw events.
ORACLE = """
    SELECT row,
        count(*) FILTER (WHERE e.time >= r.time - 3600000000) AS "1h",
        count(*) FILTER (WHERE e.time >= r.time - 86400000000) AS "1d",
        count(*) FILTER (WHERE e.time >= r.time - 7 * 86400000000) AS "7d",
        count(*) FILTER (WHERE e.time >= r.time - 30 * 86400000000) AS "30d",
        count(e.time) AS "all",
        (r.time - min(e.time)) / 86400000000 AS age,
        (r.time - max(e.time)) / 86400000000 AS since_last
    FROM requests r LEFT JOIN events e ON e.owner = r.owner AND e.time < r.time
    GROUP BY row, r.time ORDER BY row
"""


def log_like_ml_100k(seed: int, n: int = 20_000) -> dict[str, np.ndarray]:
    """Seven months of events to the second, some at equal times, of few popular and many rare items."""
    rng = np.random.default_rng(seed)
    time = 874_724_710 + np.sort(rng.integers(0, 210 * 86_400, n))
    time[1::7] = time[::7][: len(time[1::7])]
    return {
        "user": np.sort(rng.integers(0, 200, n)).astype(np.int32),
        "item": (rng.random(n) ** 3 * 400).astype(np.int32),
        "time": rng.permutation(time) * 1_000_000,
        "intensity": np.where(rng.random(n) < 0.2, 0.0, rng.random(n)).astype(np.float32),
    }


def corpus_of(root: Path, log: dict[str, np.ndarray], split: np.ndarray) -> tuple[Corpus, dict[str, np.ndarray]]:
    """The corpus of a log in the order that timelines have, and the log in this order."""
    order = np.lexsort((log["time"], split, log["user"]))
    rows = {name: values[order] for name, values in {**log, "split": split}.items()}
    columns = zip(rows["user"], rows["item"], rows["time"], rows["split"], rows["intensity"], strict=True)
    events = [Event(int(u), int(i), int(t) / DAY, SPLITS[s], float(x)) for u, i, t, s, x in columns]
    return Corpus(write_corpus(root, 200, 400, events, [Impression(0, "train", (0, 0), [(0, 1.0)])]), None), rows


def by_time(log: dict[str, np.ndarray]) -> np.ndarray:
    """Splits at two times."""
    return np.searchsorted(np.quantile(log["time"], [0.8, 0.9]), log["time"], side="right").astype(np.int8)


def requests(rows: dict[str, np.ndarray], owner: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Owners and times: half of the times are those of events, and a tenth are earlier than all or later than all."""
    rng = np.random.default_rng(seed)
    time = rng.integers(rows["time"].min() - 40 * DAY, rows["time"].max() + 40 * DAY, ROWS)
    time[::2] = rng.choice(rows["time"], ROWS // 2)
    return rng.integers(0, 200, ROWS), time


def oracle(rows: dict[str, np.ndarray], owner: str, counted: np.ndarray, asked: tuple[np.ndarray, np.ndarray]) -> Any:
    database = duckdb.connect()
    database.register("events", pa.table({"owner": rows[owner][counted], "time": rows["time"][counted]}))
    database.register("requests", pa.table({"row": np.arange(len(asked[0])), "owner": asked[0], "time": asked[1]}))
    return database.sql(ORACLE).to_df()


@pytest.mark.parametrize("owner", ["item", "user"])
@pytest.mark.parametrize("random", [False, True], ids=["by time", "random split"])
def test_a_thousand_rows_recomputed_from_raw_events(owner: str, random: bool, tmp_path: Path) -> None:
    log = log_like_ml_100k(1)
    split = np.random.default_rng(2).choice(3, 20_000, p=[0.8, 0.1, 0.1]) if random else by_time(log)
    corpus, rows = corpus_of(tmp_path, log, split)
    assert corpus.splits_are_periods is not random
    counters = corpus.counters if owner == "item" else corpus.user_counters
    asked = requests(rows, owner, 3)
    counted = (rows["intensity"] > 0) & ((rows["split"] == TRAIN) | (not random))
    expected = oracle(rows, owner, counted, asked)
    found = counters.counts(*asked)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected[list(WINDOWS)].to_numpy())
    assert (found > 0).any(axis=0).all()  # every window has something to count
    np.testing.assert_array_equal(counters.ages(*asked), expected["age"].to_numpy(np.float32))
    np.testing.assert_array_equal(counters.since_last(*asked), expected["since_last"].to_numpy(np.float32))
    assert np.isnan(counters.ages(*asked)).sum() > 20


def test_of_a_random_split_no_event_of_valid_or_test_counts(tmp_path: Path) -> None:
    log = log_like_ml_100k(4, 3000)
    split = np.random.default_rng(5).choice(3, 3000)
    with_all, _ = corpus_of(tmp_path / "all", log, split)
    train = split == TRAIN
    of_train, _ = corpus_of(tmp_path / "train", {name: values[train] for name, values in log.items()}, split[train])
    end = int(log["time"].max()) + 1
    np.testing.assert_array_equal(with_all.counters.at(end), of_train.counters.at(end))


@examples(200)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=20),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=20),
    st.integers(0, 60),
)
def test_events_at_the_time_or_later_change_nothing(
    events: list[tuple[int, int]], later: list[tuple[int, int]], now: int
) -> None:
    def counters(rows: list[tuple[int, int]]) -> EventCounters:
        owner, hours = np.array(rows, np.int64).reshape(-1, 2).T
        return EventCounters.of(owner, hours * HOUR, 4)

    owners, time = np.arange(4), np.full(4, now * HOUR)
    before = counters([event for event in events if event[1] < now])
    after = counters(events + [(owner, now + hours) for owner, hours in later])
    for look_up in ("counts", "ages", "since_last"):
        np.testing.assert_array_equal(getattr(before, look_up)(owners, time), getattr(after, look_up)(owners, time))
    np.testing.assert_array_equal(before.at(now * HOUR), after.counts(owners, time))


def test_by_hand() -> None:
    """Owner 0 has events at hours 0, 47 and 48; owner 1 at hour 48 and without a time; owner 2 none."""
    time = np.array([0, 47 * HOUR, 48 * HOUR, 48 * HOUR, NO_TIME])
    counters = EventCounters.of(np.array([0, 0, 0, 1, 1], np.int32), time, 3)
    at = np.array([0, 1, 47 * HOUR, 48 * HOUR, 48 * HOUR + 1, NO_TIME])
    found = counters.counts(np.zeros(6, np.int32), at)
    assert found.tolist() == [
        [0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1],
        [1, 1, 2, 2, 2],  # the event one hour ago is in the window of an hour, that of the moment is not
        [1, 2, 3, 3, 3],
        [0, 0, 0, 0, 0],
    ]
    assert counters.at(49 * HOUR).tolist() == [[1, 2, 3, 3, 3], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    days = [np.nan, 1 / DAY, 47 / 24, 2, 2 + 1 / DAY, np.nan]
    np.testing.assert_array_equal(counters.ages(np.zeros(6, np.int32), at), np.array(days, np.float32))
    days = [np.nan, 1 / DAY, 47 / 24, 1 / 24, 1 / DAY, np.nan]
    np.testing.assert_array_equal(counters.since_last(np.zeros(6, np.int32), at), np.array(days, np.float32))
    assert np.isnan(counters.ages(np.array([1, 2]), np.array([48 * HOUR, 99 * HOUR]))).all()


def test_of_no_event_there_is_nothing_to_count() -> None:
    none = np.zeros(0, np.int64)
    counters = EventCounters.of(none, none, 2)
    assert counters.counts(np.array([0, 1]), np.array([DAY, NO_TIME])).tolist() == [[0] * 5, [0] * 5]
    assert np.isnan(counters.since_last(np.array([0, 1]), np.array([DAY, NO_TIME]))).all()


def test_keys_of_a_million_owners_over_decades_fit_and_seconds_are_exact() -> None:
    rng = np.random.default_rng(6)
    owner, seconds = rng.integers(0, 1_000_000, 5000), rng.integers(0, 30 * 365 * 86_400, 5000)
    owner[:2500] = owner[2500:]
    counters = EventCounters.of(owner, seconds * 1_000_000, 1_000_000)
    assert counters.unit > 1
    assert counters.keys.min() >= 0
    asked = owner[:500], (seconds + rng.choice([-1, 0, 1, 86_400, 86_401], 5000))[:500]
    found = counters.counts(asked[0], asked[1] * 1_000_000)
    for (o, t), counted in zip(zip(*asked, strict=True), found, strict=True):
        before = (owner == o) & (seconds < t)
        assert counted[1] == (before & (seconds >= t - 86_400)).sum()
        assert counted[-1] == before.sum()


def test_coarse_keys_know_no_future_and_miss_less_than_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interestrec.corpus.counters._MOST_KEYS", 3000)
    rng = np.random.default_rng(8)
    time = rng.integers(0, 5000, 300)
    counters = EventCounters.of(np.zeros(300, np.int32), time, 1)
    assert counters.unit == 2
    asked = np.arange(-10, 5010)
    found = counters.counts(np.zeros(len(asked), np.int32), asked)[:, -1]
    assert (found <= [(time < t).sum() for t in asked]).all()
    assert (found >= [(time <= t - counters.unit).sum() for t in asked]).all()


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_like_ml_100k(7, 2000)
    counters = EventCounters.of(log["item"], log["time"], 400)
    whole = counters.counts(log["item"], log["time"])
    monkeypatch.setattr("interestrec.corpus.counters._BLOCK", 7)
    np.testing.assert_array_equal(counters.counts(log["item"], log["time"]), whole)


def test_what_a_corpus_counts(tmp_path: Path) -> None:
    log = [
        Event(0, 0, None, "train", 1.0, HISTORY_EVENT),  # a logged history, as one with a time
        Event(0, 0, 1, "train", 1.0, HISTORY_EVENT),
        Event(0, 0, 2, "train"),
        Event(0, 0, 3, "train", 0.0),  # not positive
        Event(0, 0, None, "train"),  # without a time
        Event(0, 0, 5, "valid"),
        Event(1, 0, 6, "test"),
    ]
    shown = [Impression(0, "train", (0, 0), [(0, 1.0)])]
    corpus = Corpus(write_corpus(tmp_path, 2, 2, log, shown), 0.5)
    assert corpus.splits_are_periods
    assert corpus.counters.counts(np.zeros(3, int), np.array([5, 7, 0]) * DAY)[:, -1].tolist() == [1, 3, 0]
    assert corpus.counters.counts(np.array([0]), np.array([NO_TIME]))[:, -1].tolist() == [0]
    assert corpus.user_counters.at(7 * DAY)[:, -1].tolist() == [2, 1]


def test_other_splits_of_a_corpus_count_what_they_hold(tmp_path: Path) -> None:
    log = [Event(0, 0, 1), Event(0, 0, 2), Event(0, 0, 3, "valid"), Event(1, 1, 4, "test")]
    corpus = Corpus(write_corpus(tmp_path, 2, 2, log, [Impression(0, "train", (0, 0), [(0, 1.0)])]), None)
    fold = corpus.with_splits(np.array([-1, 0, 1, 2], np.int8), corpus.impressions.split)
    assert fold.counters.at(9 * DAY)[:, -1].tolist() == [2, 1]
    again = fold.with_splits(np.array([1, 0, 0, 2], np.int8), corpus.impressions.split)  # what was drawn is by time
    assert again.counters.at(9 * DAY)[:, -1].tolist() == [3, 1]


def test_splits_that_are_periods() -> None:
    time = np.array([1, 5, 5, 2, 9])
    assert are_periods(time, np.array([TRAIN, VALID, TEST, TRAIN, TEST]))
    assert are_periods(time, np.array([TRAIN, TEST, TEST, TRAIN, TEST]))
    # The train event at 9 is later than the test event at 5, if of another user.
    assert not are_periods(time, np.array([TRAIN, TEST, TEST, TRAIN, TRAIN]))
    assert not are_periods(time, np.array([VALID, TRAIN, TRAIN, TRAIN, TEST]))
    assert are_periods(np.append(time, NO_TIME), np.array([TRAIN, VALID, TEST, TRAIN, TEST, TRAIN]))
    assert are_periods(np.array([NO_TIME] * 3), np.array([TEST, TRAIN, VALID]))


def test_of_splits_per_user_no_event_of_valid_or_test_counts(tmp_path: Path) -> None:
    """User 0's test event is earlier than user 1's train events, for which it is no news."""
    log = [Event(0, 0, 1), Event(0, 1, 2, "test"), Event(1, 0, 3), Event(1, 1, 4), Event(1, 2, 5, "test")]
    shown = [Impression(0, "train", (0, 0), [(0, 1.0)])]
    corpus = Corpus(write_corpus(tmp_path, 2, 3, log, shown), None)
    assert not corpus.splits_are_periods
    assert corpus.counters.at(9 * DAY)[:, -1].tolist() == [2, 1, 0]
    assert corpus.counts_at_times.at(4 * DAY)[:, -1].tolist() == [2, 0, 0]
