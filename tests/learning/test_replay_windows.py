"""Windows and truths by hand, and what holds for any log."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME
from interestrec.learning.replay_windows import (
    LoggedEvents,
    ReplayWindow,
    ages,
    decision_of,
    decisions_needed,
    replay_windows,
    window_truth,
    windows_with_targets,
)


def starts(windows: list[ReplayWindow]) -> list[int]:
    return [window.start for window in windows]


def test_windows_begin_after_the_share_and_end_before_the_last_event() -> None:
    time = np.array([9, 0, 1, 2, 5, 6, 7, 8, 3, 4])
    # Half of ten events are known before 5; [5, 7) and [7, 9) are complete, [9, 11) is not.
    assert starts(replay_windows(time, 0.5, 2)) == [5, 7]
    assert replay_windows(time, 0.5, 5) == [ReplayWindow(5, 10)]


def test_windows_without_an_event_are_left_out() -> None:
    assert starts(replay_windows(np.array([0, 1, 2, 3, 20, 21]), 0.5, 2)) == [3, 19]


def test_equal_times_are_in_the_first_window_together() -> None:
    assert starts(replay_windows(np.array([0, 5, 5, 5, 5, 9]), 0.5, 2)) == [5]


@pytest.mark.parametrize("time", [np.zeros(0, np.int64), np.array([0, 1, 2])])
def test_a_log_without_a_complete_window_is_refused(time: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"shorter replay\.window or a smaller replay\.start"):
        replay_windows(time, 0.5, 100)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60), st.floats(0.05, 0.95), st.integers(1, 10**5))
def test_windows_do_not_overlap_and_hold_events(times: list[int], share: float, length: int) -> None:
    time = np.array(times)
    try:
        windows = replay_windows(time, share, length)
    except DataError:
        return
    for window in windows:
        assert window.stop - window.start == length
        assert ((time >= window.start) & (time < window.stop)).any()
        assert window.stop <= time.max() + 1
    assert all(one.stop <= other.start for one, other in pairwise(windows))
    assert (time < windows[0].start).mean() <= share


def logged(rows: list[tuple[int, int, int, bool]]) -> LoggedEvents:
    """Events (user, item, time, relevant), sorted by user and time."""
    user, item, time, relevant = (np.array(column) for column in zip(*rows, strict=True))
    return LoggedEvents(user, item, time, relevant.astype(bool), np.arange(len(rows)))


EVENTS = logged(
    [
        (0, 3, 1, True),  # before the window
        (0, 3, 5, True),  # again: no target where seen items are out
        (0, 1, 6, True),
        (0, 1, 7, True),  # a second time in the window
        (0, 2, 8, False),  # not relevant
        (2, 4, 4, False),  # seen, although not relevant
        (2, 4, 6, True),
        (2, 0, 9, True),  # at the end of the window
    ]
)


@pytest.mark.parametrize(
    ("seen_count", "expected"), [(False, {0: [1], 1: [], 2: []}), (True, {0: [1, 3], 1: [], 2: [4]})]
)
def test_truth_of_a_window_by_hand(seen_count: bool, expected: dict[int, list[int]]) -> None:
    truth = window_truth(EVENTS, ReplayWindow(5, 9), 3, seen_count)
    found = {user: truth.item[truth.offsets[user] : truth.offsets[user + 1]].tolist() for user in range(3)}
    assert found == expected
    assert truth.relevant.all()


def test_windows_without_a_target_are_left_out() -> None:
    windows = [ReplayWindow(start, start + 2) for start in (4, 6, 8)]
    # From 4 to 6 nobody has something new, with seen items two users have; at 9 user 2 has item 0.
    assert starts(windows_with_targets(EVENTS, windows, 3, False, None)) == [6, 8]
    assert starts(windows_with_targets(EVENTS, windows, 3, False, 1)) == [6]
    assert starts(windows_with_targets(EVENTS, windows, 3, True, None)) == [4, 6, 8]
    with pytest.raises(DataError, match=r"longer replay\.window"):
        windows_with_targets(EVENTS, windows[:1], 3, False, None)


def test_events_without_a_time_and_logged_histories_are_no_events() -> None:
    timelines = SimpleNamespace(
        user=np.array([1, 0, 0, 0]),
        item=np.array([5, 6, 7, 8]),
        time=np.array([3, 9, NO_TIME, 2]),
        intensity=np.array([0.2, 0.9, 0.9, 0.9], np.float32),
    )
    corpus: Any = SimpleNamespace(
        timelines=timelines, is_logged_history=np.array([False, False, False, True]), relevant=lambda x: x > 0.5
    )
    found = LoggedEvents.of(corpus)
    assert found.item.tolist() == [6, 5]
    assert found.relevant.tolist() == [True, False]
    assert found.row.tolist() == [1, 0]


def test_ages_double_up_to_the_number_of_windows() -> None:
    assert [ages(n) for n in (1, 2, 3, 4, 5, 9)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4], [1, 2, 4, 5], [1, 2, 4, 8, 9]]


def test_decisions_by_hand() -> None:
    assert [decision_of(window, 2) for window in range(5)] == [0, 0, 2, 2, 4]
    assert decisions_needed(5, [1, 2, 4, 8]) == [0, 4, 5]
