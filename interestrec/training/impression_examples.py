"""Examples of impressions, made in blocks of them, so that a log that is larger than memory can be learned from."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus, Impressions
from interestrec.io.spilled_arrays import SpilledArray
from interestrec.training.examples import Examples

_MOST_CANDIDATES = 32  # of an example made from events, which bounds the padding of a batch
_BLOCK = 1 << 20  # candidates of impressions that are looked at together


def usable_impressions(corpus: Corpus, split: int, select: bool | None = None) -> np.ndarray:
    """Mask of the impressions to learn from, bool [impressions]: those of a split, and of one half of valid's users.

    Impressions with several candidates of one class teach no order and are left out. A single candidate is an event:
    it teaches an intensity, and it is distinguished from sampled negatives if it is positive.
    """
    impressions = corpus.impressions
    mask = impressions.split == split
    if select is not None:
        mask &= corpus.in_valid_select[impressions.user] == select
    for start, stop in _blocks(impressions.offsets):
        offsets = impressions.offsets[start : stop + 1]
        counts, owner = np.diff(offsets), ragged.owner(offsets)
        positives = np.bincount(owner, impressions.label[offsets[0] : offsets[-1]] > 0, minlength=len(counts))
        mask[start:stop] &= ((positives > 0) & (positives < counts)) | (counts == 1)
    return mask


def _blocks(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of impressions with few candidates, so that what is computed of them takes little memory."""
    edges = np.unique(np.searchsorted(offsets, np.arange(0, int(offsets[-1]), _BLOCK)))
    yield from pairwise([0, *edges[edges > 0].tolist(), len(offsets) - 1])


def impression_examples(
    impressions: Impressions, mask: np.ndarray, targets: np.ndarray | None = None, directory: Path | None = None
) -> Examples:
    """Return the impressions of a mask, bool [impressions], as examples without their unlabelled candidates.

    Consecutive events of a user with the same history and time become examples of at most 32 candidates.

    Args:
        targets: float32 [candidates, tasks], labels of tasks.
        directory: see SpilledArray.
    """
    item, label, position, sampled, row, offsets = SpilledArray.several(
        (np.int32, np.float32, np.int32, np.bool_, np.int64, np.int64), directory
    )
    start, end, user, time = SpilledArray.several((np.int64, np.int64, np.int32, np.int64), directory)
    known_targets = None if targets is None else SpilledArray(targets.dtype, directory)
    total, before = 0, None
    for begin, stop in _blocks(impressions.offsets):
        block = slice(int(impressions.offsets[begin]), int(impressions.offsets[stop]))
        places = impressions.offsets[begin : stop + 1]
        counts, owner = np.diff(places), ragged.owner(places)
        known = ~np.isnan(impressions.label[block]) & mask[begin:stop][owner]
        rows = np.flatnonzero(mask[begin:stop] & (np.bincount(owner[known], minlength=len(counts)) > 0))
        first, before = _first_of_request(impressions, begin + rows, counts[rows] == 1, before)
        continued = len(rows) > 0 and not first[0]  # the last example of the block before
        request = np.zeros(len(counts), np.int64)
        request[rows] = np.cumsum(first) - (not continued)
        asked = request[owner[known]]
        lengths = np.bincount(asked, minlength=int(first.sum()) + continued)
        labels = impressions.label[block][known]
        ignored = np.bincount(asked, (labels <= 0) & (counts[owner[known]] > 1), minlength=len(lengths)) > 0
        rows = begin + rows[first]
        item.append(impressions.item[block][known])
        label.append(labels)
        position.append(np.where(counts[owner] > 1, ragged.positions(places) + 1, 0)[known])
        sampled.append(~ignored[int(continued) :])
        offsets.append((total + ragged.from_lengths(lengths))[int(continued) : -1])
        total += int(lengths.sum())
        row.append(rows)
        start.append(impressions.history_start[rows])
        end.append(impressions.history_end[rows])
        user.append(impressions.user[rows])
        time.append(impressions.time[rows])
        if known_targets is not None and targets is not None:
            known_targets.append(targets[block][known])
    offsets.append(np.array([total]))
    return Examples(
        start=start.finish(),
        end=end.finish(),
        offsets=offsets.finish(),
        item=item.finish(),
        label=label.finish(),
        position=position.finish(),
        sampled=sampled.finish(),
        row=row.finish(),
        user=user.finish(),
        time=time.finish(),
        targets=None if known_targets is None else known_targets.finish(),
    )


class _LastRow(NamedTuple):
    """The last row of a block of impressions."""

    row: int
    is_event: bool
    place: int  # among the consecutive rows of its request


def _first_of_request(
    impressions: Impressions, rows: np.ndarray, is_event: np.ndarray, before: _LastRow | None
) -> tuple[np.ndarray, _LastRow | None]:
    """Return whether each row begins an example, bool [rows], rather than continue that of the events before it.

    Args:
        before: the row before `rows`; None: there is none.

    Returns:
        Also the row before what follows.
    """
    if not len(rows):
        return np.zeros(0, bool), before
    previous = np.append(rows[0] if before is None else before.row, rows[:-1])
    continues = is_event & np.append(before is not None and before.is_event, is_event[:-1])
    for key in (impressions.user, impressions.history_start, impressions.history_end, impressions.time):
        continues &= key[rows] == key[previous]
    number = np.arange(len(rows)) + (0 if before is None else before.place + 1)
    place = number - np.maximum.accumulate(np.where(continues, 0, number))
    return place % _MOST_CANDIDATES == 0, _LastRow(int(rows[-1]), bool(is_event[-1]), int(place[-1]))
