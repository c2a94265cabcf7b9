"""Steps of histories: what the next-item model reads and what it learns to expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.no_time import NO_TIME
from interestrec.scorers.random import mix_hashes

_SECOND = 1_000_000  # microseconds
GAPS = 32  # buckets: unknown, then one per doubling of the seconds up to 34 years


@dataclass(frozen=True)
class HistorySteps:
    """Histories as steps of at most a fixed number of items.

    Items of equal times, such as the lines of an invoice, and items without a time have no order among themselves: they
    share a step, or several if they are too many for one.
    """

    item: np.ndarray  # int32 [entries], rows of the model's items
    moment: np.ndarray  # int64 [entries], ascending; equal for the entries of one history and time
    step_offsets: np.ndarray  # int64 [steps + 1] into the entries
    gap: np.ndarray  # int32 [steps], bucket of the time since the step before, below GAPS
    offsets: np.ndarray  # int64 [histories + 1] into the steps

    @classmethod
    def from_entries(cls, offsets: np.ndarray, item: np.ndarray, time: np.ndarray, step_items: int) -> HistorySteps:
        """Divide histories into steps.

        Args:
            offsets: int64 [histories + 1] into the entries, none empty.
            item: int32 [entries], rows of the model's items, oldest first.
            time: int64 [entries], microseconds, NO_TIME where null.
            step_items: maximum items of a step.
        """
        begins = _moment_begins(offsets, time)
        moment = np.cumsum(begins) - 1
        place = ragged.positions(np.append(np.flatnonzero(begins), len(item)))
        first = np.flatnonzero(place % step_items == 0)
        steps = np.searchsorted(first, offsets)
        return cls(item, moment, np.append(first, len(item)), _gaps(time[first], steps[:-1]), steps)

    def shuffled(self, rng: np.random.Generator) -> HistorySteps:
        """Return the same steps with the items of equal times in random order."""
        item = self.item[np.lexsort((rng.random(len(self.item)), self.moment))]
        return HistorySteps(item, self.moment, self.step_offsets, self.gap, self.offsets)

    def inputs(
        self, begin: np.ndarray, end: np.ndarray, length: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ranges of steps as items, steps and gaps of NextItem.

        Args:
            begin: int64 [ranges], steps.
            end: int64 [ranges], exclusive.
            length: steps of a padded range; None: those of the longest.
        """
        source, inside = ragged.padded(begin, end, int((end - begin).max()) if length is None else length)
        place = np.flatnonzero(inside)
        offsets, entries = ragged.take(self.step_offsets, source.ravel()[place])
        gap = np.where(inside, self.gap[source], 0)
        return self.item[entries], place[ragged.owner(offsets)].astype(np.int32), gap.astype(np.int32)

    def targets(self, begin: np.ndarray, end: np.ndarray, step_items: int) -> np.ndarray:
        """Return the items of the step after each step of ranges, int32 [ranges, longest, step_items], -1 at padding.

        Ranges must not contain the last step of a history.
        """
        source, inside = ragged.padded(begin, end, int((end - begin).max()))
        entry, filled = ragged.padded(
            self.step_offsets[source.ravel() + 1], self.step_offsets[source.ravel() + 2], step_items
        )
        filled &= inside.ravel()[:, None]
        return np.where(filled, self.item[entry], -1).reshape(*source.shape, step_items).astype(np.int32)


def windows(steps: HistorySteps, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide histories into windows of steps that have a next one, so that each is learned from once per epoch.

    The last window of a history is full, as its end is what requests ask about; the first one may be short.

    Args:
        length: maximum steps of a window.

    Returns:
        The first step of each window and the step behind its last, int64 [windows].
    """
    start, stop = steps.offsets[:-1], steps.offsets[1:] - 1
    count = -(-(stop - start) // length)
    offsets = ragged.from_lengths(count)
    end = ragged.repeat(offsets, stop) - ragged.positions(offsets) * length
    return np.maximum(ragged.repeat(offsets, start), end - length), end


def mean_moment(offsets: np.ndarray, time: np.ndarray) -> float:
    """Return the mean number of entries of one history with equal times, 0 without entries; as in `from_entries`."""
    return len(time) / max(int(_moment_begins(offsets, time).sum()), 1)


def content_order(offsets: np.ndarray, item: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return histories in an order that depends on their content alone, not on who they belong to; int64 [histories].

    Args:
        offsets: int64 [histories + 1] into the entries, none empty.
    """
    mixed = mix_hashes(item.astype(np.uint64), time.astype(np.uint64))
    return np.argsort(np.add.reduceat(mixed, offsets[:-1]), kind="stable")


def _moment_begins(offsets: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Whether an entry is the first of its history and time, bool [entries]."""
    begins = np.ones(len(time), bool)
    begins[1:] = (np.diff(ragged.owner(offsets)) != 0) | (np.diff(time) != 0)
    return begins


def _gaps(time: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Bucket 1 + floor(log2(1 + seconds since the step before)), 0 where unknown; int32 [steps].

    Where splits are random, valid follows train in a history: time goes back there, and the gap counts as unknown.

    Args:
        time: of the steps.
        first: first step of each history.
    """
    known = np.ones(len(time), bool)
    known[first] = False
    known[1:] &= (time[1:] >= time[:-1]) & (time[:-1] != NO_TIME)
    row = np.flatnonzero(known)
    bucket = np.zeros(len(time), np.int32)
    bucket[row] = 1 + np.floor(np.log2(1 + (time[row] - time[row - 1]) / _SECOND)).astype(np.int32)
    return np.minimum(bucket, GAPS - 1)
