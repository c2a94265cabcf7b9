"""What the model learns from: requests with a history, candidates and graded labels.

Two kinds, one shape. An impression's candidates are what was shown. An event has one candidate, the item itself,
and is told apart from sampled negatives.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import DataError
from interestrec.corpus.store import Corpus, Impressions, Timelines
from interestrec.io.schemas import TRAIN, VALID


@dataclass(frozen=True)
class Examples:
    """Example e: history rows `start[e]:end[e]` of the timelines, candidates `item[offsets[e]:offsets[e + 1]]`."""

    start: np.ndarray  # int64 [examples], rows of Timelines
    end: np.ndarray  # int64 [examples], exclusive
    offsets: np.ndarray  # int64 [examples + 1]
    item: np.ndarray  # int32 [candidates]
    label: np.ndarray  # float32 [candidates], intensity
    sampled: np.ndarray  # bool [examples]: needs sampled negatives, because nothing shown was ignored
    row: np.ndarray  # int64 [examples], where the log has it: an impression's number, or a row of Timelines
    # int64 [examples], one text in place of the history, -1 for none; without it the history's items are read
    document: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.start)

    def select(self, chosen: np.ndarray) -> "Examples":
        """The examples at the given positions."""
        offsets, rows = ragged.take(self.offsets, chosen)
        return Examples(
            self.start[chosen],
            self.end[chosen],
            offsets,
            self.item[rows],
            self.label[rows],
            self.sampled[chosen],
            self.row[chosen],
            None if self.document is None else self.document[chosen],
        )


class Parts(NamedTuple):
    """All that training looks at."""

    train: Examples
    within: Examples  # next events within the histories of train
    select: Examples
    blend: Examples


def corpus_examples(corpus: Corpus, validated: bool = True) -> Parts:
    """The examples of a corpus.

    Args:
        validated: whether there must be something to validate on.

    Raises:
        DataError: no example with a positive label in train, or none in valid_select where there must be one.
    """
    impressions = corpus.impressions
    train = impression_examples(impressions, usable(corpus, TRAIN))
    select = impression_examples(impressions, usable(corpus, VALID, select=True))
    for name, examples in {"train": train, **({"valid": select} if validated else {})}.items():
        if not (examples.label > 0).any():
            raise DataError(f"{corpus.path}: no event with an intensity above 0 in {name}; check weights and the split")
    return Parts(
        train,
        history_examples(impressions, corpus.timelines, impressions.split == TRAIN),
        contrasted(select),
        impression_examples(impressions, usable(corpus, VALID, select=False)),
    )


def usable(corpus: Corpus, split: int, select: bool | None = None) -> np.ndarray:
    """bool [impressions]: of a split (and of one half of valid's users) and with something to tell apart.

    An impression that shows several candidates of one class teaches no order and is left out; a single candidate is
    an event, told apart from sampled negatives when it is positive, and graded in any case.
    """
    impressions = corpus.impressions
    chosen = impressions.split == split
    if select is not None:
        chosen &= corpus.in_valid_select[impressions.user] == select
    counts = np.diff(impressions.offsets)
    owner = ragged.owner(impressions.offsets)
    positives = np.bincount(owner, impressions.label > 0, minlength=len(counts))
    return chosen & (((positives > 0) & (positives < counts)) | (counts == 1))


def impression_examples(impressions: Impressions, chosen: np.ndarray) -> Examples:
    """Impressions by a mask, bool [impressions], as examples; candidates without a label are left out."""
    rows = np.flatnonzero(chosen)
    counts = np.diff(impressions.offsets)
    owner = ragged.owner(impressions.offsets)
    known = ~np.isnan(impressions.label) & chosen[owner]
    kept = np.bincount(owner[known], minlength=len(counts))[rows]
    label = impressions.label[known]
    ignored = np.bincount(owner[known], label <= 0, minlength=len(counts))[rows] > 0
    return Examples(
        start=impressions.history_start[rows],
        end=impressions.history_end[rows],
        offsets=ragged.from_lengths(kept),
        item=impressions.item[known],
        label=label,
        sampled=~ignored,
        row=rows,
    )


def contrasted(examples: Examples) -> Examples:
    """The examples that show both classes, where there are any; else all.

    A mean AUC over what was shown and ignored and over events against sampled negatives would be a mean of two
    tasks, and the second, far easier, would choose the weights.
    """
    owner = ragged.owner(examples.offsets)
    positives = np.bincount(owner, examples.label > 0, minlength=len(examples))
    both = (positives > 0) & (positives < np.diff(examples.offsets))
    return examples.select(np.flatnonzero(both)) if both.any() else examples


def history_examples(impressions: Impressions, timelines: Timelines, chosen: np.ndarray) -> Examples:
    """Next-event examples within the histories of the chosen impressions: every event after the first of each
    history is a candidate whose history is what came before it.

    Of histories that begin at one row only the longest is used, so that no event is seen twice.
    """
    start, end = impressions.history_start[chosen], impressions.history_end[chosen]
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
        sampled=np.ones(len(target), bool),
        row=target,
    )


def popularity(corpus: Corpus) -> np.ndarray:
    """Share of each item in the positive train events: float64 [items]; the distribution of sampled negatives.

    Drawing negatives as often as they occur as positives takes popularity out of the score: what is learned is
    the pointwise mutual information of user and item (Levy and Goldberg 2014). How popular an item is at the
    time of the request is for the decision to add.
    """
    timelines = corpus.timelines
    train = (timelines.split == TRAIN) & (timelines.intensity > 0)
    counts = np.bincount(timelines.item[train], minlength=corpus.items.num_rows).astype(np.float64)
    return counts / max(counts.sum(), 1.0)
