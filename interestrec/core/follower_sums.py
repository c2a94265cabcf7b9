"""FollowerSums: how often an item follows another one in the events of a user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from interestrec.core import ragged
from interestrec.core.cell_sums import CellChange, CellSums, filled_row_blocks
from interestrec.core.deferred_import import np, sparse

_PAIRS = 1 << 22  # pairs of events of one block, which bounds its memory


@dataclass(frozen=True)
class FollowerSums:
    """Pairs of an event and one that follows it in time, or is of the same time, weighed by the second; see PairSums.

    The cells are the items of the first and the second event. Events are sorted by user, time and item.
    """

    user: np.ndarray  # int32 [events]
    item: np.ndarray  # int32 [events]
    time: np.ndarray  # int64 [events], microseconds
    weight: np.ndarray  # float64 [events]
    window: int  # microseconds, the longest time between both
    following: int  # rows, the most between both
    n_items: int
    start: np.ndarray | None = None  # int64 [events]: only pairs whose second event is in this row or later
    power: int = 1

    def blocks(self, items: np.ndarray) -> Iterator[sparse.csr_matrix]:
        """See PairSums."""
        counts = self._matrix(self.weight)
        if len(items) < self.n_items:
            counts = counts[items][:, items]
        yield from (counts[start:stop] for start, stop in filled_row_blocks(np.diff(counts.indptr)))

    def stored(self) -> CellSums:
        """See PairSums."""
        value = self._matrix(self.weight)
        count = value if (self.weight == 1.0).all() else self._matrix(np.ones(len(self.weight)))
        return CellSums.of_pairs([(value, count)], self.power)

    def change_from(self, before: FollowerSums) -> CellChange:
        """See PairSums. Pairs of the events before a user's first change are the same and are not counted."""
        users = max(int(part.user.max(initial=-1)) for part in (self, before)) + 1
        offsets, old_offsets = (ragged.from_owner(part.user, users) for part in (self, before))
        place = ragged.positions(offsets)
        is_old = place < np.diff(old_offsets)[self.user]
        row = np.where(is_old, old_offsets[self.user] + place, 0)[is_old]
        is_old[is_old] = np.all(
            [getattr(self, name)[is_old] == getattr(before, name)[row] for name in ("item", "time", "weight")], axis=0
        )
        equal = np.diff(offsets)
        changed = np.flatnonzero(~is_old)
        user, first = np.unique(self.user[changed], return_index=True)
        equal[user] = place[changed[first]]
        parts = (
            replace(part, start=(own[:-1] + equal)[part.user]) for part, own in ((self, offsets), (before, old_offsets))
        )
        now, then = (part.stored() for part in parts)
        return now.change_from(then)

    def _matrix(self, weight: np.ndarray) -> sparse.csr_matrix:
        """float64 [items, items]"""
        shape = (self.n_items, self.n_items)
        counts, item, time = sparse.csr_matrix(shape), self.item, self.time
        for first, second in _pairs(self.user, time, self.window, self.following, self.start):
            both = time[first] == time[second]
            row = np.concatenate([item[first], item[second[both]]])
            column = np.concatenate([item[second], item[first[both]]])
            value = np.concatenate([weight[second], weight[first[both]]])
            other = row != column
            counts = counts + sparse.csr_matrix((value[other], (row[other], column[other])), shape=shape)
        return counts


def _pairs(
    user: np.ndarray, time: np.ndarray, window: int, following: int, start: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of events of a user, int64 [pairs] each: the second is up to `following` rows after the first.

    Args:
        user: ascending.
        time: ascending within a user, in microseconds.
        window: microseconds.
        start: int64 [events], the first row that may be second; None: all.
    """
    step = max(1, _PAIRS // following)
    for low in range(0, len(user), step):
        rows = np.arange(low, min(low + step, len(user)))
        stop = np.minimum(rows + 1 + following, len(user))
        begin = rows + 1 if start is None else np.minimum(np.maximum(rows + 1, start[rows]), stop)
        offsets, second = ragged.ranges(begin, stop)
        first = ragged.repeat(offsets, rows)
        near = (user[second] == user[first]) & (time[second] - time[first] <= window)
        yield first[near], second[near]
