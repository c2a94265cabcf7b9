"""The largest entries of each row of a sparse matrix, which bound the memory of item-item matrices."""

from __future__ import annotations

from collections.abc import Callable

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse

_CELLS = 1 << 23  # entries of a block's rows if they were dense


def largest_per_row(matrix: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """Return the matrix with the `most` largest entries of each row, ties by the lower column; columns ascend."""
    matrix.sort_indices()
    kept = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > most):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        value = matrix.data[entries]
        threshold = np.partition(value, -most)[-most]
        above = value > threshold
        above[np.flatnonzero(value == threshold)[: most - np.count_nonzero(above)]] = True
        kept[entries] = above
    pointer = ragged.filtered(matrix.indptr, kept)
    return sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], pointer), shape=matrix.shape)


def item_matrix(
    left: sparse.csr_matrix,
    right: sparse.csr_matrix,
    weigh: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    most: int,
) -> sparse.csr_matrix:
    """Return the `most` largest entries of each row of a function of leftᵀ · right, without the diagonal.

    Args:
        left: float [users, items], the items of the rows.
        right: float [users, items], the items of the columns.
        weigh: returns the values of entries from their rows, columns and products.

    Returns:
        float32 [items, items]; only entries at which a user has both items.
    """
    item_users = left.T.tocsr()
    n_items = right.shape[1]
    step = max(1, _CELLS // max(n_items, 1))
    blocks = [sparse.csr_matrix((0, n_items), dtype=np.float32)]
    for start in range(0, n_items, step):
        product = (item_users[start : start + step] @ right).tocoo()
        other = product.row + start != product.col
        row, column = product.row[other], product.col[other]
        value = weigh(row + start, column, product.data[other]).astype(np.float32)
        blocks.append(largest_per_row(sparse.csr_matrix((value, (row, column)), shape=product.shape), most))
    return sparse.vstack(blocks, format="csr")
