"""The windows of a replay, and what users did in each: windows of one length, from the end of what is known first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import DataError
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.evaluation.list_metrics import ListTruth


@dataclass(frozen=True)
class ReplayWindow:
    """A window of time, from `start` to before `stop`, microseconds since 1970 UTC."""

    start: int
    stop: int


@dataclass(frozen=True)
class LoggedEvents:
    """The events of a log with a time, sorted by user and time; entries of logged histories are none."""

    user: np.ndarray  # int32 [events]
    item: np.ndarray  # int32 [events]
    time: np.ndarray  # int64 [events], microseconds
    relevant: np.ndarray  # bool [events]
    row: np.ndarray  # int64 [events], of the timelines

    @classmethod
    def of(cls, corpus: Corpus) -> "LoggedEvents":
        """Return the events of all splits of a corpus."""
        timelines = corpus.timelines
        rows = np.flatnonzero((timelines.time != NO_TIME) & ~corpus.is_logged_history)
        rows = rows[np.lexsort((rows, timelines.time[rows], timelines.user[rows]))]
        relevant = corpus.relevant(timelines.intensity[rows])
        return cls(timelines.user[rows], timelines.item[rows], timelines.time[rows], relevant, rows)


def replay_windows(time: np.ndarray, start: float, length: int) -> list[ReplayWindow]:
    """Return the windows that are complete before the last event and have one; the first begins at a share of events.

    Args:
        time: int64 [events], microseconds, in any order.
        start: share of the events before the first window; of equal times, all are in it.
        length: microseconds.

    Raises:
        DataError: the log has no complete window after the start.
    """
    ordered = np.sort(time)
    windows: list[ReplayWindow] = []
    if len(ordered):
        begin, last = int(ordered[int(len(ordered) * start)]), int(ordered[-1])
        for at in range(begin, last + 1, length):
            within = np.searchsorted(ordered, [at, at + length])
            if at + length <= last + 1 and within[0] < within[1]:
                windows.append(ReplayWindow(at, at + length))
    if not windows:
        raise DataError(
            f"no window of {length / 3_600_000_000:g} hours is complete after the first {start:.0%} of the events; "
            "choose a shorter replay.window or a smaller replay.start"
        )
    return windows


def windows_with_targets(
    events: LoggedEvents, windows: Sequence[ReplayWindow], n_users: int, seen_count: bool, most: int | None
) -> list[ReplayWindow]:
    """Return the first windows in which somebody has a target, at most `most`; other arguments as of `window_truth`.

    Raises:
        DataError: there is none.
    """
    found = [window for window in windows if len(window_truth(events, window, n_users, seen_count).item)]
    if not found:
        raise DataError(
            "no window has a relevant event that a list may hold; check data.relevant_at and rank.rules.seen, or use a "
            "longer replay.window"
        )
    return found[:most]


def window_truth(events: LoggedEvents, window: ReplayWindow, n_users: int, seen_count: bool) -> ListTruth:
    """Return the relevant items of each user within a window, each once.

    Args:
        seen_count: whether items of the user's events before the window count as well.
    """
    before = events.time < window.start
    within = ~before & (events.time < window.stop) & events.relevant
    n_items = int(events.item.max(initial=0)) + 1
    cell = events.user.astype(np.int64) * n_items + events.item
    targets = np.unique(cell[within])
    if not seen_count:
        targets = targets[~np.isin(targets, cell[before])]
    user, item = targets // n_items, targets % n_items
    ones = np.ones(len(item))
    return ListTruth(ragged.from_owner(user, n_users), item, ones, ones.astype(bool))


def ages(n_windows: int) -> list[int]:
    """Return the numbers of windows that a decision may serve: 1, 2, 4 … below the number of windows, and that."""
    found = [1]
    while found[-1] * 2 < n_windows:
        found.append(found[-1] * 2)
    return found if n_windows == 1 else [*found, n_windows]


def decision_of(window: int, age: int) -> int:
    """Return the window, from 0, at whose start the decision was fitted that serves a window, refitting every `age`."""
    return window // age * age


def decisions_needed(window: int, numbers: Sequence[int]) -> list[int]:
    """Return the windows whose decisions answer a window for some of the ages, ascending."""
    return sorted({decision_of(window, age) for age in numbers})
