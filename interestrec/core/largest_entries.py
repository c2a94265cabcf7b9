"""The largest entries of each row of a sparse matrix, which bound the memory of item-item matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse


def largest_per_row(matrix: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """Return the matrix with the `most` largest entries of each row, ties by the lower column; columns ascend."""
    kept = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > most):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        value = matrix.data[entries]
        threshold = np.partition(value, -most)[-most]
        above = value > threshold
        tied = np.flatnonzero(value == threshold)
        by_column = tied[np.argsort(matrix.indices[entries][tied])]
        above[by_column[: most - np.count_nonzero(above)]] = True
        kept[entries] = above
    pointer = ragged.filtered(matrix.indptr, kept)
    largest = sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], pointer), shape=matrix.shape)
    largest.sort_indices()  # fewer than those of the matrix
    return largest


def item_matrix(
    products: Iterable[sparse.csr_matrix],
    n_items: int,
    weigh: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    most: int,
) -> sparse.csr_matrix:
    """Return the `most` largest entries of each row of a function of a matrix of pairs, without the diagonal.

    Args:
        products: float64 [items, items] in blocks of rows, as PairProducts and CellSums yield them.
        weigh: returns the values of entries from their rows, columns and products.

    Returns:
        float32 [items, items]; only entries that `products` has.
    """
    blocks = [sparse.csr_matrix((0, n_items), dtype=np.float32)]
    start = 0
    for block in products:
        row = ragged.owner(block.indptr) + start
        other = row != block.indices
        column = block.indices[other]
        value = weigh(row[other], column, block.data[other]).astype(np.float32)
        pointer = ragged.filtered(block.indptr, other)
        blocks.append(largest_per_row(sparse.csr_matrix((value, column, pointer), shape=block.shape), most))
        start += block.shape[0]
    return sparse.vstack(blocks, format="csr")
