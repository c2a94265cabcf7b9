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
_CELLS = 1 << 23  # of the products of items that are solved together


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


@dataclass(frozen=True)
class NearestItems:
    """The items that each item is regressed on, and the products of pairs: what all regularizations share."""

    cosines: sparse.csr_matrix  # float32 [items, items], symmetric, diagonal 0; of the pairs whose product is kept
    support: sparse.csr_matrix  # float32 [items, items], of each row the cosines of the items that predict it
    size: np.ndarray  # float64 [items], square roots of the diagonal of XᵀX

    def weights(self, regularization: float) -> SparseEaseWeights:
        """Regress each item on those that predict it; see `nearest_items`.

        Items that as many others predict are solved together. Each is a problem of its own, so that its bits do not
        depend on the others.

        Args:
            regularization: λ.
        """
        weights = np.zeros(self.support.nnz, np.float32)
        count = np.diff(self.support.indptr)
        with one_blas_thread():
            for near in np.unique(count[count > 0]).tolist():
                alike = np.flatnonzero(count == near)
                step = max(1, _CELLS // near**2)
                for start in range(0, len(alike), step):
                    items = alike[start : start + step]
                    entries = self.support.indptr[items][:, None] + np.arange(near)
                    gram, target = self._regressions(items, entries)
                    weights[entries] = ridge_solutions(gram, target, regularization)
        by_item = sparse.csr_matrix((weights, self.support.indices, self.support.indptr), shape=self.support.shape)
        return SparseEaseWeights(by_item.T.tocsr())

    def _regressions(self, items: np.ndarray, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the products of the predicting items, [items, near, near], and those with the item, [items, near].

        Args:
            entries: int [items, near], places in `support`.
        """
        near = self.support.indices[entries]
        size = self.size[near]
        first, second = np.triu_indices(near.shape[1], 1)
        gram = np.zeros((*near.shape, near.shape[1]))
        if len(first):
            cosine = np.asarray(self.cosines[near[:, first].ravel(), near[:, second].ravel()]).reshape(len(near), -1)
            gram[:, first, second] = gram[:, second, first] = cosine * (size[:, first] * size[:, second])
        place = np.arange(near.shape[1])
        gram[:, place, place] = size**2
        return gram, self.support.data[entries] * size * self.size[items][:, None]


def nearest_items(products: Iterable[sparse.csr_matrix], length: np.ndarray, neighbours: int) -> NearestItems:
    """Find the `neighbours` most similar items of each item, on which it is regressed.

    Column j of B minimises ‖X_j − X_N b‖² + λ‖b‖², where N holds the items with the largest cosine to j. This is the
    problem of EASE on a local support (SLIM with feature selection, Ning and Karypis 2011), and a sparse approximate
    inverse of XᵀX + λI with a given pattern, for the purpose of SANSA (Spišák et al. 2023). The solution is that of
    EASE if N holds all other items; items that never occur with j are not in N.

    Up to about 5,800 items the Gram matrix is complete. Beyond that it keeps the products of each item with its most
    similar items, 2²⁵ altogether, and those of other pairs count as 0. Time is that of the products, and for each λ
    proportional to items · neighbours³.

    Args:
        products: XᵀX, float64 [items, items] in blocks of rows.
        length: float64 [items], the diagonal of XᵀX.
        neighbours: size of N.
    """
    size = np.maximum(np.sqrt(length), np.finfo(np.float64).tiny ** 0.5)

    def cosine(row: np.ndarray, column: np.ndarray, product: np.ndarray) -> np.ndarray:
        return product / (size[row] * size[column])

    kept = item_matrix(products, len(size), cosine, max(_ENTRIES // max(len(size), 1), neighbours))
    cosines = kept.maximum(kept.T).tocsr()  # what is kept in one row is kept in the other
    cosines.sort_indices()
    return NearestItems(cosines, largest_per_row(cosines, neighbours), size)


def ridge_solutions(gram: np.ndarray, target: np.ndarray, regularization: float) -> np.ndarray:
    """Return (gram + λI)⁻¹ · target of each problem, float64 [problems, size], by Cholesky factorisation.

    With the products that are left out, a problem may need a larger λ: it is doubled until the matrix is positive
    definite. Others are not affected.

    Args:
        gram: float64 [problems, size, size].
        target: float64 [problems, size].
    """
    try:
        factor = np.linalg.cholesky(gram + regularization * np.eye(gram.shape[1]))
    except np.linalg.LinAlgError:  # of at least one of them
        if len(gram) == 1:
            return ridge_solutions(gram, target, 2 * regularization)
        half = len(gram) // 2
        parts = (slice(0, half), slice(half, None))
        return np.concatenate([ridge_solutions(gram[part], target[part], regularization) for part in parts])
    solution = target.copy()
    for row in range(gram.shape[1]):  # L y = target
        solution[:, row] -= np.vecdot(factor[:, row, :row], solution[:, :row])
        solution[:, row] /= factor[:, row, row]
    for row in reversed(range(gram.shape[1])):  # Lᵀ x = y
        solution[:, row] -= np.vecdot(factor[:, row + 1 :, row], solution[:, row + 1 :])
        solution[:, row] /= factor[:, row, row]
    return solution
