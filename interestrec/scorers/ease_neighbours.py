"""EASE for many items: a ridge regression of each item on the items that occur most often with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import item_matrix, largest_per_row
from interestrec.core.row_products import one_blas_thread
from interestrec.scorers.catalogue_rows import sorted_rows
from interestrec.scorers.interactions import sparse_dots
from interestrec.scorers.stored_arrays import pack_matrix, unpack_matrix

_ENTRIES = 1 << 25  # of the Gram matrix, which bounds its memory


@dataclass(frozen=True)
class SparseEaseWeights:
    """The solution as sparse item × item weights."""

    weights: sparse.csr_matrix  # float32 [fitted items, fitted items], diagonal 0

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, fitted items] from float64 [requests, fitted items]."""
        return self.entries(history).toarray()

    def entries(self, history: sparse.csr_matrix) -> sparse.csr_matrix:
        """float32 [requests, fitted items], columns ascending; what has no entry is 0."""
        return sorted_rows(history.astype(np.float32) @ self.weights)

    def at(self, history: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs] of requests `row` and fitted items `item`."""
        return sparse_dots(history.astype(np.float32), row, self._by_candidate, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return pack_matrix("sparse_weights", self.weights)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(unpack_matrix("sparse_weights", arrays))

    @cached_property
    def _by_candidate(self) -> sparse.csr_matrix:
        return self.weights.T.tocsr()


def neighbour_weights(
    products: Iterable[sparse.csr_matrix], length: np.ndarray, regularization: float, neighbours: int
) -> SparseEaseWeights:
    """Regress each item on its `neighbours` most similar items.

    Column j of B minimises ‖X_j − X_N b‖² + λ‖b‖², where N holds the items with the largest cosine to j. This is the
    problem of EASE on a local support (SLIM with feature selection, Ning and Karypis 2011), and a sparse approximate
    inverse of XᵀX + λI with a given pattern, for the purpose of SANSA (Spišák et al. 2023). The solution is that of
    EASE if N holds all other items; items that never occur with j are not in N.

    Up to about 5,800 items the Gram matrix is complete. Beyond that it keeps the products of each item with its most
    similar items, 2²⁵ altogether, and those of other pairs count as 0. Time is proportional to
    neighbours · (2²⁵ + items · neighbours²).

    Args:
        products: XᵀX, float64 [items, items] in blocks of rows.
        length: float64 [items], the diagonal of XᵀX.
        regularization: λ.
        neighbours: size of N.
    """
    size = np.maximum(np.sqrt(length), np.finfo(np.float64).tiny ** 0.5)

    def cosine(row: np.ndarray, column: np.ndarray, product: np.ndarray) -> np.ndarray:
        return product / (size[row] * size[column])

    partners = item_matrix(products, len(size), cosine, max(_ENTRIES // max(len(size), 1), neighbours))
    partners = partners.maximum(partners.T).tocsr()  # what is kept in one row is kept in the other
    partners.sort_indices()
    support = largest_per_row(partners, neighbours)
    weights = np.zeros(support.nnz, np.float32)
    with one_blas_thread():
        for item in range(len(size)):
            entries = slice(support.indptr[item], support.indptr[item + 1])
            near = support.indices[entries]
            cosines = partners[near][:, near].toarray()
            gram = cosines * np.outer(size[near], size[near])
            gram[np.diag_indices(len(near))] = size[near] ** 2
            weights[entries] = _solution(gram, support.data[entries] * size[near] * size[item], regularization)
    by_item = sparse.csr_matrix((weights, support.indices, support.indptr), shape=support.shape)
    return SparseEaseWeights(by_item.T.tocsr())


def _solution(gram: np.ndarray, target: np.ndarray, regularization: float) -> np.ndarray:
    """(gram + λI)⁻¹ · target; with the products that are left out, a larger λ may be needed."""
    from scipy.linalg import LinAlgError, solve

    if len(target) == 0:
        return target
    while True:
        try:
            return solve(gram + regularization * np.eye(len(gram)), target, assume_a="pos", check_finite=False)
        except LinAlgError:
            regularization *= 2
