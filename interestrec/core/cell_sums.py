"""CellSums: what users contribute to items and to pairs of items, from which users can be taken out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

from interestrec.core.deferred_import import np, sparse

_SHIFT = (
    32  # a pair of items is the cell `item << 32 | other item`, whatever the number of items; an item is (item, item)
)
_PARTS = ("cell", "value", "count", "error")
_ENTRIES = 1 << 23  # of a block of rows
_ROUNDING = 2.0**-52  # relative, of float64
_MOST_ERROR = 2.0**-30  # relative, about 1e-9, above which a sum is not to be trusted
_SMALLEST = 2.0**-960  # below it float64 loses digits


class PairSums(Protocol):
    """Sums per pair of items, which a fit reads block by block without storing all of them."""

    @property
    def power(self) -> int:
        """How many recencies each contribution is a product of."""

    def blocks(self, items: np.ndarray) -> Iterator[sparse.csr_matrix]:
        """Yield the rows of the matrix of sums, float64 [items, items], in blocks of rows; sums of 0 are absent.

        What the diagonal is, is left open.

        Args:
            items: int64, ascending: the rows and columns, among them all items with sums.
        """

    def stored(self) -> CellSums:
        """Compute all sums, so that they can be stored and follow new events."""

    def change_from(self, before: Self) -> CellChange:
        """Return by how much the sums of some users differ from those before a change, at the same latest time."""


@dataclass(frozen=True)
class CellChange:
    """By how much sums change."""

    cell: np.ndarray  # int64 [cells], ascending
    value: np.ndarray  # float64 [cells]
    size: np.ndarray  # float64 [cells], what comes plus what goes, whose rounding the change has
    count: np.ndarray  # int32 [cells]

    @classmethod
    def of_pairs(
        cls, value: sparse.csr_matrix, size: sparse.csr_matrix, count: sparse.csr_matrix, is_symmetric: bool
    ) -> Self:
        """Take matrices [items, items]; of symmetric ones what is above the diagonal."""
        entries = [_cells(matrix, 0) for matrix in (value, size, count)]
        if is_symmetric:
            entries = [(cell[_is_above(cell)], number[_is_above(cell)]) for cell, number in entries]
        cell, parts = entries[0][0], [number for _, number in entries]
        if not all(np.array_equal(cell, place) for place, _ in entries[1:]):
            cell = _union(*(place for place, _ in entries))
            parts = [np.zeros(len(cell)) for _ in entries]
            for part, (place, number) in zip(parts, entries, strict=True):
                part[np.searchsorted(cell, place)] = number
        return cls(cell, parts[0], parts[1], np.rint(parts[2]).astype(np.int32))


@dataclass(frozen=True)
class CellSums:
    """Sums over users per item or pair of items, and how many contributions each has.

    A cell without contributions does not exist, so that no rounding error stays where users were taken out. `error`
    bounds what taking out large contributions leaves of the digits of small ones.
    """

    cell: np.ndarray  # int64 [cells], ascending
    value: np.ndarray  # float64 [cells], ≥ 0
    count: np.ndarray  # int32 [cells], > 0
    error: np.ndarray  # float32 [cells], relative
    power: int  # a contribution is a product of this many recencies
    is_symmetric: bool = False  # whether a pair stands for both of its orders; its first item is the lower one

    @classmethod
    def of_items(cls, value: np.ndarray, count: np.ndarray, power: int) -> Self:
        """Take sums and numbers of contributions, [items]."""
        item = np.flatnonzero(count).astype(np.int64)
        return cls._exact(item << _SHIFT | item, value[item], count[item], power)

    @classmethod
    def of_pairs(cls, blocks: Iterable[tuple[sparse.csr_matrix, sparse.csr_matrix]], power: int) -> Self:
        """Take blocks of rows of a matrix [items, items]: sums and numbers of contributions, which may lack zeros."""
        cells, values, counts = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int32)]
        row = 0
        for value, count in blocks:
            cell, number = _cells(count, row)
            known, total = _cells(value, row)
            aligned = np.zeros(len(cell))
            aligned[np.searchsorted(cell, known)] = total
            cells.append(cell)
            values.append(aligned)
            counts.append(number.astype(np.int32))
            row += value.shape[0]
        return cls._exact(np.concatenate(cells), np.concatenate(values), np.concatenate(counts), power)

    @classmethod
    def _exact(cls, cell: np.ndarray, value: np.ndarray, count: np.ndarray, power: int) -> Self:
        return cls(
            cell, np.asarray(value, np.float64), np.asarray(count, np.int32), np.zeros(len(cell), np.float32), power
        )

    def stored(self) -> Self:
        """See PairSums."""
        return self

    @property
    def items(self) -> tuple[np.ndarray, np.ndarray]:
        """Both items of each cell, int64 [cells] each."""
        return _items(self.cell)

    @property
    def lost_items(self) -> tuple[np.ndarray, np.ndarray]:
        """Both items of the cells with too few digits left, int64 [cells] each."""
        return _items(self.cell[self.error > _MOST_ERROR])

    def above_diagonal(self) -> Self:
        """Return the sums of a symmetric matrix, those of its diagonal left out."""
        return replace(self._kept(_is_above(self.cell)), is_symmetric=True)

    def dense(self, n_items: int) -> np.ndarray:
        """Return sums of items as float64 [items]."""
        value = np.zeros(n_items)
        value[self.items[0]] = self.value
        return value

    def counts(self, n_items: int) -> np.ndarray:
        """Return the numbers of contributions of items as int64 [items]."""
        count = np.zeros(n_items, np.int64)
        count[self.items[0]] = self.count
        return count

    def blocks(self, items: np.ndarray) -> Iterator[sparse.csr_matrix]:
        """See PairSums."""
        position = np.zeros(int(items[-1]) + 1 if len(items) else 0, np.int32)
        position[items] = np.arange(len(items))
        pointer = np.append(np.searchsorted(self.cell, items << _SHIFT), len(self.cell))
        column = position[_items(self.cell)[1]]
        whole = sparse.csr_matrix((self.value, column, pointer), shape=(len(items), len(items)))
        other_order = whole.T.tocsr() if self.is_symmetric else None
        for start, stop in row_blocks(len(items)):
            block = whole[start:stop]
            if other_order is not None:
                block = block + other_order[start:stop]
            block.eliminate_zeros()  # contributions so old that they weigh 0, which products lack
            yield block

    def scaled(self, factor: float) -> Self:
        """Return the sums times a factor above 0; sums that have lost digits are marked if it is above 1."""
        if factor == 1.0:
            return self
        error = self.error + np.float32(_ROUNDING)
        if factor > 1.0:
            error[self.value < _SMALLEST] = np.inf
        return replace(self, value=self.value * factor, error=error)

    def change_from(self, before: CellSums) -> CellChange:
        """See PairSums."""
        cell = _union(self.cell, before.cell)
        (plus, plus_count), (minus, minus_count) = self._at(cell), before._at(cell)
        return CellChange(cell, plus - minus, plus + minus, plus_count - minus_count)

    def changed(self, change: CellChange) -> Self:
        """Return the sums after a change.

        Raises:
            ValueError: contributions are taken out that are not in the sums.
        """
        place = np.searchsorted(self.cell, change.cell)
        inside = place < len(self.cell)
        known = np.zeros(len(place), dtype=bool)
        known[inside] = self.cell[place[inside]] == change.cell[inside]
        at, new = place + np.cumsum(~known) - ~known, place[~known]
        is_old = np.ones(len(self.cell) + len(new), dtype=bool)
        is_old[at[~known]] = False
        cell, value, count, error = (_spread(getattr(self, part), is_old) for part in _PARTS)
        cell[at] = change.cell
        count[at] += change.count
        if (count[at] < 0).any():
            raise ValueError("contributions are taken out that were never counted")
        before = value[at]
        value[at] = np.maximum(before + change.value, 0.0)
        doubt = error[at] * before + _ROUNDING * (before + change.size)
        error[at] = np.divide(doubt, value[at], out=np.where(doubt > 0, np.inf, 0.0), where=value[at] > 0)
        changed = replace(self, cell=cell, value=value, count=count, error=error)
        return changed if (count[at] > 0).all() else changed._kept(count > 0)

    def _kept(self, kept: np.ndarray) -> Self:
        parts = {part: getattr(self, part)[kept] for part in _PARTS}
        return replace(self, **parts)

    def recounted(self, other: CellSums) -> Self:
        """Take the sums that have lost digits from `other`."""
        lost = self.error > _MOST_ERROR
        value, error = self.value.copy(), self.error.copy()
        value[lost], error[lost] = other._at(self.cell[lost])[0], 0.0
        return replace(self, value=value, error=error)

    def _at(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sums and numbers of contributions of any cells, 0 where there are none."""
        value, count = np.zeros(len(cell)), np.zeros(len(cell), np.int32)
        if len(self.cell):
            place = np.minimum(np.searchsorted(self.cell, cell), len(self.cell) - 1)
            known = self.cell[place] == cell
            value[known], count[known] = self.value[place[known]], self.count[place[known]]
        return value, count

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Return the sums as arrays whose names begin with `name`."""
        parts = {part: getattr(self, part) for part in _PARTS}
        numbers = {f"{name}.power": np.array(self.power), f"{name}.is_symmetric": np.array(self.is_symmetric)}
        return {f"{name}.{part}": array for part, array in parts.items()} | numbers

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore the sums from the result of `arrays`."""
        parts = {part: arrays[f"{name}.{part}"] for part in _PARTS}
        is_symmetric = bool(arrays[f"{name}.is_symmetric"])
        return cls(**parts, power=int(arrays[f"{name}.power"]), is_symmetric=is_symmetric)


def row_blocks(n_items: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows that are small enough for a dense matrix of as many columns as there are rows."""
    step = max(1, _ENTRIES // max(n_items, 1))
    for start in range(0, n_items, step):
        yield start, min(start + step, n_items)


def filled_row_blocks(entries: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows, as many as have few enough entries together and at least one.

    Args:
        entries: int64 [rows], upper bounds of their entries.
    """
    total, start = np.cumsum(entries), 0
    while start < len(total):
        before = int(total[start - 1]) if start else 0
        stop = max(int(np.searchsorted(total, before + _ENTRIES, side="right")), start + 1)
        yield start, stop
        start = stop


def _union(*cells: np.ndarray) -> np.ndarray:
    """Return the distinct values of ascending arrays; a stable sort merges them, which is faster than hashing."""
    merged = np.sort(np.concatenate(cells), kind="stable")
    return merged[np.append(True, merged[1:] != merged[:-1])[: len(merged)]]


def _spread(part: np.ndarray, is_old: np.ndarray) -> np.ndarray:
    """Return an array with the values of `part` where `is_old`, and 0 elsewhere."""
    spread = np.zeros(len(is_old), part.dtype)
    spread[is_old] = part
    return spread


def _is_above(cell: np.ndarray) -> np.ndarray:
    """bool [cells]: the first item is the lower one."""
    first, second = _items(cell)
    return first < second


def _items(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cell >> _SHIFT, cell & ((1 << _SHIFT) - 1)


def _cells(block: sparse.csr_matrix, first_row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of entries, int64, ascending, and their values."""
    block.sort_indices()
    row = np.repeat(np.arange(first_row, first_row + block.shape[0], dtype=np.int64), np.diff(block.indptr))
    return row << _SHIFT | block.indices, block.data
