"""The exact solution of EASE in two forms: item × item weights, or the inverse of the users' Gram matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core.deferred_import import np, sparse
from interestrec.core.errors import NumericError
from interestrec.core.row_products import row_products
from interestrec.scorers.interactions import mixed_dots
from interestrec.scorers.stored_arrays import pack_matrix, unpack_matrix

_CELLS = 1 << 22  # items × users of one dense block
_EXPANDED = 2  # items per user up to which the dual solution is kept as item × item weights


@dataclass(frozen=True)
class EaseWeights:
    """The solution as dense item × item weights."""

    weights: np.ndarray  # float32 [fitted items, fitted items], diagonal 0

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, fitted items] from float64 [requests, fitted items]."""
        return history.astype(np.float32) @ self.weights

    def at(self, history: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs] of requests `row` and fitted items `item`."""
        return mixed_dots(history.astype(np.float32), row, self.weights.T, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(arrays["weights"])


@dataclass(frozen=True)
class DualEaseWeights:
    """The solution in dual form, which stores a users × users kernel instead of the item × item weights."""

    seen: sparse.csr_matrix  # float64 [users, fitted items], X
    kernel: np.ndarray  # float64 [users, users], K = (XXᵀ + λI)⁻¹
    leverage: np.ndarray  # float64 [fitted items], q = diag(XᵀKX), below 1

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, fitted items] from float64 [requests, fitted items]."""
        score = self._through_users(history) @ self.seen
        score -= history.multiply(self.leverage)  # diag(B) = 0: removes the contribution of an item to its own score
        return np.asarray(score / (1.0 - self.leverage), dtype=np.float32)

    def at(self, history: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs] of requests `row` and fitted items `item`."""
        score = mixed_dots(self._by_item, item, self._through_users(history), row)
        diagonal = np.asarray(history[row, item]).ravel() * self.leverage[item]  # as in __call__
        return np.asarray((score - diagonal) / (1.0 - self.leverage[item]), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {**pack_matrix("seen", self.seen), "kernel": self.kernel, "leverage": self.leverage}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(unpack_matrix("seen", arrays), arrays["kernel"], arrays["leverage"])

    def _through_users(self, history: sparse.csr_matrix) -> np.ndarray:
        return row_products((history @ self.seen.T).toarray(), self.kernel)  # which is symmetric

    @cached_property
    def _by_item(self) -> sparse.csr_matrix:
        return self.seen.T.tocsr()


def primal_weights(gram: np.ndarray, regularization: float) -> EaseWeights:
    """Solve by the Gram matrix of items, float64 [items, items], which is overwritten."""
    inverse = _inverse(gram, regularization)
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0.0)
    return EaseWeights(weights)


def dual_weights(seen: sparse.csr_matrix, regularization: float, max_size: int) -> EaseWeights | DualEaseWeights:
    """Solve by the Gram matrix of users; keep this form where item × item weights would take several times the memory.

    Scores by item × item weights were four times as fast as those through the users on MovieLens-100K.

    Args:
        seen: float64 [users, items].
    """
    users, items = seen.shape
    dual = _dual(seen, regularization)
    return dual if items > min(max_size, _EXPANDED * users) else _expanded(dual)


def _expanded(dual: DualEaseWeights) -> EaseWeights:
    """The same solution as item × item weights: B = XᵀKX (I − diag(XᵀKX))⁻¹ off the diagonal."""
    item_users = dual.seen.T.tocsr()
    weights = np.empty((item_users.shape[0], item_users.shape[0]), np.float32)
    step = max(1, _CELLS // len(dual.kernel))
    for start in range(0, len(weights), step):
        through_users = item_users[start : start + step] @ dual.kernel
        weights[start : start + step] = (through_users @ dual.seen) / (1.0 - dual.leverage)
    np.fill_diagonal(weights, 0.0)
    return EaseWeights(weights)


def _dual(seen: sparse.csr_matrix, regularization: float) -> DualEaseWeights:
    kernel = _inverse((seen @ seen.T).toarray(), regularization)
    item_users = seen.T.tocsr()
    leverage = np.zeros(seen.shape[1])
    step = max(1, _CELLS // seen.shape[0])
    for start in range(0, seen.shape[1], step):
        block = item_users[start : start + step]
        leverage[start : start + step] = np.asarray(block.multiply(block @ kernel).sum(axis=1)).ravel()
    return DualEaseWeights(seen, kernel, leverage)


def _inverse(gram: np.ndarray, regularization: float) -> np.ndarray:
    """(gram + λI)⁻¹ of a positive semidefinite matrix by Cholesky factorisation; overwrites `gram`."""
    from scipy.linalg import lapack

    if len(gram) == 0:
        return gram
    gram[np.diag_indices_from(gram)] += regularization
    factor, failed = lapack.dpotrf(gram, lower=True, overwrite_a=True)
    if failed:
        raise NumericError(
            f"EASE with regularization {regularization} has no stable solution; increase rank.ease.regularization"
        )
    inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    return np.tril(inverse) + np.tril(inverse, -1).T
