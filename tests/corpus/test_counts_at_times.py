"""Counts of all owners at one time beside those of single owners, and beside a loop over the events."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus import counts_at_times as module
from interestrec.corpus.counters import WINDOWS, EventCounters
from interestrec.corpus.counts_at_times import CountsAtTimes
from interestrec.corpus.no_time import NO_TIME

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 1_700_000_000_000_000


class Log(NamedTuple):
    """Events of some owners; the last owner has none."""

    owner: np.ndarray
    time: np.ndarray
    owners: int


def log(seed: int, events: int = 300, owners: int = 7) -> Log:
    """Events over three months, many at equal times and some without one."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, owners - 1, events).astype(np.int32)
    time = START + rng.integers(0, 90 * 24 * 4, events) * (HOUR // 4)
    time[rng.random(events) < 0.1] = NO_TIME
    return Log(owner, time, owners)


def moments(of: Log, seed: int) -> list[int]:
    """Times before, at, just after and between events, and at the edges of windows."""
    timed = np.append(of.time[of.time != NO_TIME], START)
    rng = np.random.default_rng(seed)
    edges = [length or 0 for length in WINDOWS.values()]
    chosen = [int(rng.choice(timed)) + int(rng.choice([-1, 0, 1])) + edge for edge in edges for _ in range(3)]
    return [NO_TIME, START - DAY, int(timed.max()) + 400 * DAY, *chosen]


def by_hand(of: Log, time: int) -> np.ndarray:
    if time == NO_TIME:
        return np.zeros((of.owners, len(WINDOWS)))
    found = np.zeros((of.owners, len(WINDOWS)))
    for owner, event in zip(of.owner, of.time, strict=True):
        for column, length in enumerate(WINDOWS.values()):
            begin = NO_TIME if length is None else time - length - 1
            found[owner, column] += NO_TIME < event < time and event > begin
    return found


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 5, 63, 64, 65, 300]))
def test_counts_are_those_of_single_owners(seed: int, events: int) -> None:
    made = log(seed, events)
    counted, single = CountsAtTimes.of(*made), EventCounters.of(*made)
    for time in moments(made, seed):
        np.testing.assert_array_equal(counted.at(time), single.at(time), err_msg=str(time))


def test_counts_are_those_of_a_loop() -> None:
    made = log(1)
    counted = CountsAtTimes.of(*made)
    for time in moments(made, 1):
        np.testing.assert_array_equal(counted.at(time), by_hand(made, time))
        assert counted.at(time).dtype == np.float32


def test_snapshots_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = log(2)
    expected = [CountsAtTimes.of(*made).at(time) for time in moments(made, 2)]
    for snapshots in (1, 3, 10**6):
        monkeypatch.setattr(module, "_SNAPSHOTS", snapshots)
        for time, counts in zip(moments(made, 2), expected, strict=True):
            np.testing.assert_array_equal(CountsAtTimes.of(*made).at(time), counts)


@given(st.integers(0, 10**6))
def test_events_at_the_time_or_later_change_nothing(seed: int) -> None:
    made = log(seed)
    rng = np.random.default_rng(seed)
    for time in moments(made, seed)[1:]:
        known = (made.time < time) & (made.time != NO_TIME)
        others = rng.integers(0, made.owners, 20).astype(np.int32)
        after = np.append(made.time[known], time + rng.integers(0, 3, 20) * HOUR)
        changed = CountsAtTimes.of(np.append(made.owner[known], others), after, made.owners)
        np.testing.assert_array_equal(changed.at(time), CountsAtTimes.of(*made).at(time))


def test_the_first_event_of_each_owner() -> None:
    time = np.array([START + DAY, START, NO_TIME, START + 2 * DAY])
    made = CountsAtTimes.of(np.array([0, 0, 1, 2], np.int32), time, 4)
    never = np.iinfo(np.int64).max
    assert made.first.tolist() == [START, never, START + 2 * DAY, never]
