"""Training examples: requests with a history, candidates and graded labels.

The candidates of an impression are the items shown. The candidates of a request that was made from events are the items
of the user's events after one history, such as the lines of an invoice; they are distinguished from sampled negatives.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Impressions, Timelines
from interestrec.io.schemas import TRAIN


class TaskTargets(NamedTuple):
    """Labels of tasks, NaN where unknown."""

    events: np.ndarray  # float32 [events, tasks], of the rows of Timelines
    candidates: np.ndarray  # float32 [candidates, tasks], of those of Impressions


@dataclass(frozen=True)
class Examples:
    """Example e: history rows `start[e]:end[e]` of the timelines, candidates `item[offsets[e]:offsets[e + 1]]`."""

    start: np.ndarray  # int64 [examples], rows of Timelines
    end: np.ndarray  # int64 [examples], exclusive
    offsets: np.ndarray  # int64 [examples + 1]
    item: np.ndarray  # int32 [candidates]
    label: np.ndarray  # float32 [candidates], intensity
    position: np.ndarray  # int32 [candidates], from 1 in the impression as logged; 0 of events, which no list showed
    sampled: np.ndarray  # bool [examples]: needs sampled negatives, because no item shown was ignored
    row: np.ndarray  # int64 [examples], number of the (first) impression or row of Timelines
    user: np.ndarray  # int32 [examples]
    time: np.ndarray  # int64 [examples], microseconds of the request, NO_TIME where unknown
    # int64 [examples], row of Timelines within the history that is left out, the example's own event; -1, None: none
    omitted: np.ndarray | None = None
    # int64 [examples], one text in place of the history, -1 for none; None: the history's items are read
    document: np.ndarray | None = None
    targets: np.ndarray | None = None  # float32 [candidates, tasks], labels of tasks, NaN where unknown; None: no tasks

    def __len__(self) -> int:
        return len(self.start)

    def select(self, rows: np.ndarray) -> "Examples":
        """Return the examples at `rows`, in this order."""
        offsets, candidates = ragged.take(self.offsets, rows)
        return Examples(
            self.start[rows],
            self.end[rows],
            offsets,
            self.item[candidates],
            self.label[candidates],
            self.position[candidates],
            self.sampled[rows],
            self.row[rows],
            self.user[rows],
            self.time[rows],
            None if self.omitted is None else self.omitted[rows],
            None if self.document is None else self.document[rows],
            None if self.targets is None else self.targets[candidates],
        )


def without_order(examples: Examples, timelines: Timelines) -> Examples:
    """Return examples of single train events with all other train events of the user as history.

    Where no event has a time, the order of a log says nothing; it may be that of ids. Histories that end before each
    event would then hold what no request holds, and nothing that follows in the file.
    """
    counts = np.bincount(timelines.user[timelines.split == TRAIN], minlength=len(timelines.offsets) - 1)
    start = timelines.offsets[examples.user]
    return replace(examples, start=start, end=start + counts[examples.user], omitted=examples.end)


def select_contrasting(examples: Examples) -> Examples:
    """Return the examples that show both classes, or all examples if none does.

    A mean AUC over both impressions and events with sampled negatives would mix two tasks, and the second, much easier
    one would decide early stopping.
    """
    owner = ragged.owner(examples.offsets)
    positives = np.bincount(owner, examples.label > 0, minlength=len(examples))
    both = (positives > 0) & (positives < np.diff(examples.offsets))
    return examples.select(np.flatnonzero(both)) if both.any() else examples


def history_examples(
    impressions: Impressions, timelines: Timelines, mask: np.ndarray, targets: np.ndarray | None = None
) -> Examples:
    """Return next-event examples from the histories of impressions: the candidate is an event after the first, and its
    history is the events before it.

    Among histories that begin at one row only the longest is used, so that no event occurs twice. Entries of a logged
    history have no time, so the user's request has none either.

    Args:
        mask: bool [impressions], whose histories are used.
        targets: float32 [events, tasks], labels of tasks.
    """
    start, end = impressions.history_start[mask], impressions.history_end[mask]
    order = np.lexsort((end, start))
    start, end = start[order], end[order]
    last = np.append(start[1:] != start[:-1], True) if len(start) else np.zeros(0, bool)
    start, end = start[last], end[last]
    offsets, target = ragged.ranges(start + 1, np.maximum(end, start + 1))
    begin = ragged.repeat(offsets, start)
    positive = timelines.intensity[target] > 0
    begin, target = begin[positive], target[positive]
    return Examples(
        start=begin,
        end=target,
        offsets=np.arange(len(target) + 1, dtype=np.int64),
        item=timelines.item[target],
        label=timelines.intensity[target],
        position=np.zeros(len(target), np.int32),
        sampled=np.ones(len(target), bool),
        row=target,
        user=timelines.user[target],
        time=timelines.time[target],
        targets=None if targets is None else targets[target],
    )
