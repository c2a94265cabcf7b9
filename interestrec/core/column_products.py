"""PairProducts: sums per pair of items that are products of the columns of two matrices of users and items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from interestrec.core.cell_sums import CellChange, CellSums, filled_row_blocks
from interestrec.core.deferred_import import np, sparse


@dataclass(frozen=True)
class PairProducts:
    """leftᵀ · right; see PairSums."""

    left: sparse.csr_matrix  # float64 [users, items], the items of the rows
    right: sparse.csr_matrix  # float64 [users, items], with entries at the same places
    users: np.ndarray  # int64 [users], who they are
    power: int

    def blocks(self, items: np.ndarray) -> Iterator[sparse.csr_matrix]:
        """See PairSums."""
        yield from _products(_columns(self.left, items), _columns(self.right, items))

    def stored(self) -> CellSums:
        """See PairSums."""
        ones = _ones(self.left)
        products = zip(_products(self.left, self.right), _products(ones, ones), strict=True)
        sums = CellSums.of_pairs(products, self.power)
        return sums.above_diagonal() if self.left is self.right else sums

    def change_from(self, before: PairProducts) -> CellChange:
        """See PairSums. The cost is that of the pairs of what has changed of a user with all else of the user."""
        users = np.union1d(self.users, before.users)
        left, right, old_left, old_right = (
            _of_users(matrix, part.users, users) for part in (self, before) for matrix in (part.left, part.right)
        )
        value, size = _difference(left, right, old_left, old_right)
        ones, old_ones = _ones(left), _ones(old_left)
        count, _ = _difference(ones, ones, old_ones, old_ones)
        return CellChange.of_pairs(value, size, count, self.left is self.right)


def _difference(
    left: sparse.csr_matrix, right: sparse.csr_matrix, old_left: sparse.csr_matrix, old_right: sparse.csr_matrix
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return leftᵀ · right − old_leftᵀ · old_right, and the sum of the sizes of the terms of this difference."""
    of_left, of_right, old_left = (left - old_left).T.tocsr(), right - old_right, old_left.T.tocsr()
    value = of_left @ right + old_left @ of_right
    if min(of_left.data.min(initial=0.0), of_right.data.min(initial=0.0)) >= 0.0:
        return value, value
    return value, abs(of_left) @ right + old_left @ abs(of_right)


def _of_users(matrix: sparse.csr_matrix, known: np.ndarray, users: np.ndarray) -> sparse.csr_matrix:
    """Return the rows of `users`, which is ascending; empty ones for those that are not known."""
    row = np.full(len(users), len(known))
    row[np.searchsorted(users, known)] = np.arange(len(known))
    pointer = np.append(matrix.indptr, matrix.indptr[-1])
    return sparse.csr_matrix((matrix.data, matrix.indices, pointer), (len(known) + 1, matrix.shape[1]))[row]


def _ones(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)


def _products(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Iterator[sparse.csr_matrix]:
    item_users, items = left.T.tocsr(), right.shape[1]
    terms = np.concatenate([[0], np.cumsum(np.diff(right.indptr)[item_users.indices], dtype=np.int64)])
    entries = np.minimum(np.diff(terms[item_users.indptr]), items)
    for start, stop in filled_row_blocks(entries):
        yield (item_users[start:stop] @ right).tocsr()


def _columns(matrix: sparse.csr_matrix, items: np.ndarray) -> sparse.csr_matrix:
    return matrix if len(items) == matrix.shape[1] else matrix[:, items]
