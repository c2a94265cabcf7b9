"""Training examples: requests with a history, candidates and graded labels.

The candidates of an impression are the items shown. The candidates of a request that was made from events are the items
of the user's events after one history, such as the lines of an invoice; they are distinguished from sampled negatives.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus, Impressions, Timelines
from interestrec.io.schemas import TRAIN, VALID

_MOST_CANDIDATES = 32  # of an example made from events, which bounds the padding of a batch


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


class ExampleSets(NamedTuple):
    """The examples of a corpus by their use."""

    train: Examples
    histories: Examples  # next events within the histories of train
    select: Examples  # of valid_select
    blend: Examples  # of valid_blend

    @property
    def ranks_catalogue(self) -> bool:
        """Whether lists over the catalogue are learned, rather than the order of impressions.

        This is so if no example of train shows what was ignored, so that all of them need sampled negatives.
        """
        return bool(self.train.sampled.all())


def corpus_examples(corpus: Corpus, require_valid: bool = True, targets: TaskTargets | None = None) -> ExampleSets:
    """Return the examples of a corpus.

    Args:
        require_valid: whether valid_select must have a positive label.
        targets: labels of tasks; None: there are no tasks.

    Raises:
        DataError: train, or valid_select if required, has no example with a positive label.
    """
    impressions = corpus.impressions
    of_candidates, of_events = (None, None) if targets is None else (targets.candidates, targets.events)
    train = impression_examples(impressions, usable_impressions(corpus, TRAIN), of_candidates)
    select = impression_examples(impressions, usable_impressions(corpus, VALID, select=True), of_candidates)
    for name, examples in {"train": train, **({"valid": select} if require_valid else {})}.items():
        if not (examples.label > 0).any():
            raise DataError(
                f"{corpus.path}: no event with an intensity above 0 in {name}; "
                "check preprocess.intensity and preprocess.split"
            )
    histories = history_examples(impressions, corpus.timelines, impressions.split == TRAIN, of_events)
    if corpus.is_unordered:
        train, histories = (without_order(examples, corpus.timelines) for examples in (train, histories))
    return ExampleSets(
        train,
        histories,
        select_contrasting(select),
        impression_examples(impressions, usable_impressions(corpus, VALID, select=False), of_candidates),
    )


def usable_impressions(corpus: Corpus, split: int, select: bool | None = None) -> np.ndarray:
    """Mask of the impressions to learn from, bool [impressions]: those of a split, and of one half of valid's users.

    Impressions with several candidates of one class teach no order and are left out. A single candidate is an event:
    it teaches an intensity, and it is distinguished from sampled negatives if it is positive.
    """
    impressions = corpus.impressions
    mask = impressions.split == split
    if select is not None:
        mask &= corpus.in_valid_select[impressions.user] == select
    counts = np.diff(impressions.offsets)
    owner = ragged.owner(impressions.offsets)
    positives = np.bincount(owner, impressions.label > 0, minlength=len(counts))
    return mask & (((positives > 0) & (positives < counts)) | (counts == 1))


def impression_examples(impressions: Impressions, mask: np.ndarray, targets: np.ndarray | None = None) -> Examples:
    """Return the impressions of a mask, bool [impressions], as examples without their unlabelled candidates.

    Consecutive events of a user with the same history and time become examples of at most 32 candidates.

    Args:
        targets: float32 [candidates, tasks], labels of tasks.
    """
    counts = np.diff(impressions.offsets)
    owner = ragged.owner(impressions.offsets)
    known = ~np.isnan(impressions.label) & mask[owner]
    rows = np.flatnonzero(mask & (np.bincount(owner[known], minlength=len(counts)) > 0))
    first = _first_of_request(impressions, rows, counts[rows] == 1)
    request = np.cumsum(first) - 1  # of each row
    rank = np.zeros(len(counts), np.int64)
    rank[rows] = request
    lengths = np.bincount(rank[owner[known]], minlength=int(first.sum()))
    label = impressions.label[known]
    shown_and_ignored = (label <= 0) & (counts[owner[known]] > 1)
    ignored = np.bincount(rank[owner[known]], shown_and_ignored, minlength=len(lengths)) > 0
    rows = rows[first]
    return Examples(
        start=impressions.history_start[rows],
        end=impressions.history_end[rows],
        offsets=ragged.from_lengths(lengths),
        item=impressions.item[known],
        label=label,
        position=np.where(counts[owner] > 1, ragged.positions(impressions.offsets) + 1, 0)[known].astype(np.int32),
        sampled=~ignored,
        row=rows,
        user=impressions.user[rows],
        time=impressions.time[rows],
        targets=None if targets is None else targets[known],
    )


def without_order(examples: Examples, timelines: Timelines) -> Examples:
    """Return examples of single train events with all other train events of the user as history.

    Where no event has a time, the order of a log says nothing; it may be that of ids. Histories that end before each
    event would then hold what no request holds, and nothing that follows in the file.
    """
    counts = np.bincount(timelines.user[timelines.split == TRAIN], minlength=len(timelines.offsets) - 1)
    start = timelines.offsets[examples.user]
    return replace(examples, start=start, end=start + counts[examples.user], omitted=examples.end)


def _first_of_request(impressions: Impressions, rows: np.ndarray, is_event: np.ndarray) -> np.ndarray:
    """Whether each row begins an example, bool [rows], rather than continue that of the events before it."""
    if not len(rows):
        return np.zeros(0, bool)
    keys = (impressions.user, impressions.history_start, impressions.history_end, impressions.time)
    continues = np.zeros(len(rows), bool)
    continues[1:] = is_event[1:] & is_event[:-1]
    for key in keys:
        continues[1:] &= key[rows][1:] == key[rows][:-1]
    begin = np.maximum.accumulate(np.where(continues, 0, np.arange(len(rows))))
    return (np.arange(len(rows)) - begin) % _MOST_CANDIDATES == 0


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


def popularity(corpus: Corpus) -> np.ndarray:
    """Return the share of each item in the positive train events, float64 [items]: what negatives are drawn by.

    Negatives that are drawn by popularity teach P(i | u) / P(i) unless the rate is subtracted from the logits (Levy and
    Goldberg 2014), see SharedNegatives.
    """
    timelines = corpus.timelines
    train = (timelines.split == TRAIN) & (timelines.intensity > 0)
    counts = np.bincount(timelines.item[train], minlength=corpus.items.num_rows).astype(np.float64)
    return counts / max(counts.sum(), 1.0)
