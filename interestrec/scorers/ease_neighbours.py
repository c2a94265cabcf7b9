"""EASE for many items: a ridge regression of each item on the items that occur most often with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.scorers.interactions import one_blas_thread, sparse_dots
from interestrec.scorers.largest_entries import item_matrix, largest_per_row
from interestrec.scorers.stored_arrays import pack_matrix, unpack_matrix

_PARTNERS = 500  # largest entries of a row of the Gram matrix, which bound its memory


@dataclass(frozen=True)
class SparseEaseWeights:
    """The solution as sparse item × item weights."""

    weights: sparse.csr_matrix  # float32 [fitted items, fitted items], diagonal 0

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, fitted items] from float64 [requests, fitted items]."""
        return (history.astype(np.float32) @ self.weights).toarray()

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


def neighbour_weights(seen: sparse.csr_matrix, regularization: float, neighbours: int) -> SparseEaseWeights:
    """Regress each item on its `neighbours` most similar items.

    Column j of B minimises ‖X_j − X_N b‖² + λ‖b‖², where N holds the items with the largest cosine to j. This is the
    problem of EASE on a local support (SLIM with feature selection, Ning and Karypis 2011), and a sparse approximate
    inverse of XᵀX + λI with a given pattern, for the purpose of SANSA (Spišák et al. 2023). The solution is that of
    EASE if N holds all other items; items that never occur with j are not in N.

    Memory is proportional to items · _PARTNERS, time to items · neighbours · (_PARTNERS + neighbours²): the Gram matrix
    keeps the products of each item with its most similar items, and products of other pairs count as 0.

    Args:
        seen: float64 [users, items], X; every item has entries.
        regularization: λ.
        neighbours: size of N.
    """
    size = np.sqrt(np.asarray(seen.multiply(seen).sum(axis=0)).ravel())
    size = np.maximum(size, np.finfo(np.float64).tiny ** 0.5)

    def cosine(row: np.ndarray, column: np.ndarray, product: np.ndarray) -> np.ndarray:
        return product / (size[row] * size[column])

    partners = item_matrix(seen, seen, cosine, max(_PARTNERS, neighbours))
    partners = partners.maximum(partners.T).tocsr()  # what is kept in one row is kept in the other
    partners.sort_indices()
    support = largest_per_row(partners, neighbours)
    weights = np.zeros(support.nnz, np.float32)
    place = np.full(len(size), -1)
    with one_blas_thread():
        for item in range(len(size)):
            entries = slice(support.indptr[item], support.indptr[item + 1])
            near = support.indices[entries]
            gram = _cosines_among(partners, near, place) * np.outer(size[near], size[near])
            gram[np.diag_indices(len(near))] = size[near] ** 2
            weights[entries] = _solution(gram, support.data[entries] * size[near] * size[item], regularization)
    by_item = sparse.csr_matrix((weights, support.indices, support.indptr), shape=support.shape)
    return SparseEaseWeights(by_item.T.tocsr())


def _cosines_among(partners: sparse.csr_matrix, near: np.ndarray, place: np.ndarray) -> np.ndarray:
    """float64 [near, near]: the entries of `partners` among items; `place`, −1 for all items, is restored."""
    place[near] = np.arange(len(near))
    offsets, entries = ragged.take(partners.indptr, near)
    column = place[partners.indices[entries]]
    inside = column >= 0
    among = np.zeros((len(near), len(near)))
    among[ragged.owner(offsets)[inside], column[inside]] = partners.data[entries[inside]]
    place[near] = -1
    return among


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
