"""KeptBlocks: sums per pair of items that are in memory, for several fits that read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interestrec.core.cell_sums import CellSums, PairSums
from interestrec.core.deferred_import import np, sparse

_ENTRIES = 1 << 25  # most of all blocks together: 400 MB


@dataclass(frozen=True)
class KeptBlocks:
    """The blocks of rows of other sums; see PairSums."""

    sums: PairSums
    items: np.ndarray  # int64, ascending, of the rows and columns
    rows: tuple[sparse.csr_matrix, ...]

    @property
    def power(self) -> int:
        """See PairSums."""
        return self.sums.power

    def blocks(self, items: np.ndarray) -> Iterator[sparse.csr_matrix]:
        """See PairSums. Blocks of the same items are those in memory, which are to be read only."""
        yield from self.rows if np.array_equal(items, self.items) else self.sums.blocks(items)

    def stored(self) -> CellSums:
        """See PairSums."""
        return self.sums.stored()

    def change_from(self, before: Any) -> Any:
        """See PairSums."""
        return self.sums.change_from(before)


def keep_blocks(sums: PairSums, items: np.ndarray) -> PairSums:
    """Return the sums with their blocks in memory, or as they are if these have too many entries.

    Args:
        items: int64, ascending: the rows and columns.
    """
    rows, entries = [], 0
    for block in sums.blocks(items):
        entries += block.nnz
        if entries > _ENTRIES:
            return sums
        rows.append(block)
    return KeptBlocks(sums, items, tuple(rows))
