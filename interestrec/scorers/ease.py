"""EASE: every item predicted from all others by one ridge regression in closed form."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from interestrec.core import ragged
from interestrec.core.errors import NumericError
from interestrec.scorers.blas_threads import one_blas_thread
from interestrec.scorers.interactions import event_recency_matrix, history_recency_matrix, matrix_places, mixed_dots
from interestrec.scorers.requests import Events, Requests

_CELLS = 1 << 22  # items × users of one dense block


@dataclass(frozen=True)
class EaseWeights:
    """The item × item weights themselves."""

    weights: np.ndarray  # float32 [known items, known items], diagonal 0

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, known items] from float64 [requests, known items]."""
        return history.astype(np.float32) @ self.weights

    def at(self, history: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs] of requests `row` and known items `item`."""
        return mixed_dots(history.astype(np.float32), row, self.weights.T, item)


@dataclass(frozen=True)
class DualEaseWeights:
    """The same weights through users: never more than users × users of them are written down."""

    seen: sparse.csr_matrix  # float64 [users, known items], X
    kernel: np.ndarray  # float64 [users, users], K = (XXᵀ + λI)⁻¹
    leverage: np.ndarray  # float64 [known items], q = diag(XᵀKX), below 1

    def __call__(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, known items] from float64 [requests, known items]."""
        score = self._through_users(history) @ self.seen
        score -= history.multiply(self.leverage)  # what an item would say about itself
        return np.asarray(score / (1.0 - self.leverage), dtype=np.float32)

    def at(self, history: sparse.csr_matrix, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs] of requests `row` and known items `item`."""
        score = mixed_dots(self._by_item, item, self._through_users(history), row)
        own = np.asarray(history[row, item]).ravel() * self.leverage[item]
        return np.asarray((score - own) / (1.0 - self.leverage[item]), dtype=np.float32)

    def _through_users(self, history: sparse.csr_matrix) -> np.ndarray:
        with one_blas_thread():
            return (history @ self.seen.T).toarray() @ self.kernel

    @cached_property
    def _by_item(self) -> sparse.csr_matrix:
        return self.seen.T.tocsr()


@dataclass(frozen=True)
class Ease:
    """h B for a history h: the recencies of its distinct positive items."""

    solution: EaseWeights | DualEaseWeights
    known: np.ndarray  # int64 [known items], their numbers in the corpus, ascending
    n_items: int
    left_out: int  # items with events beyond `max_size`
    relevant_from: float
    half_life: float | None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items outside the fit and for histories without items in it."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        score[:, self.known] = self.solution(self._histories(requests))
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        score = np.zeros(len(item), np.float32)
        place, there = matrix_places(self.known, item)
        score[there] = self.solution.at(self._histories(requests), ragged.owner(offsets)[there], place[there])
        return score

    def _histories(self, requests: Requests) -> sparse.csr_matrix:
        return history_recency_matrix(requests, self.relevant_from, self.n_items, self.half_life)[:, self.known]


def fit(
    events: Events, relevant_from: float, regularization: float, max_size: int, half_life: float | None = None
) -> Ease:
    """Steck 2019: B minimises ‖X − XB‖² + λ‖B‖² under diag(B) = 0, where X is users × items.

    With P = (XᵀX + λI)⁻¹, B = I − P diag(P)⁻¹. Of users and items, the fewer decide what is inverted: with fewer
    users, P = (I − XᵀKX) / λ, K = (XXᵀ + λI)⁻¹, so that off the diagonal B = XᵀKX (I − diag(XᵀKX))⁻¹.

    Args:
        events: positive events; an entry of X is the recency of a pair's latest, 1 without a half-life.
        relevant_from: least intensity of a history entry that counts.
        regularization: λ.
        max_size: rows of the largest matrix to invert; where there are more users and more items than that, only so
            many items take part, those that the most users had, ties by the lower number.
        half_life: days, after which an event and a history entry count half; None: all count alike.
    """
    seen = event_recency_matrix(events, half_life)[np.unique(events.user)]
    users = np.diff(seen.tocsc().indptr)
    known = np.flatnonzero(users).astype(np.int64)
    most = len(known) if min(seen.shape[0], len(known)) <= max_size else max_size
    kept = np.sort(known[np.argsort(-users[known], kind="stable")[:most]])
    seen = seen[:, kept]
    with one_blas_thread():
        solution = _dual(seen, regularization) if seen.shape[0] < len(kept) else _weights(seen, regularization)
    return Ease(solution, kept, events.n_items, len(known) - len(kept), relevant_from, half_life)


def _weights(seen: sparse.csr_matrix, regularization: float) -> EaseWeights:
    inverse = _inverse((seen.T @ seen).toarray(), regularization)
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0.0)
    return EaseWeights(weights)


def _dual(seen: sparse.csr_matrix, regularization: float) -> DualEaseWeights:
    kernel = _inverse((seen @ seen.T).toarray(), regularization)
    users_of = seen.T.tocsr()
    leverage = np.zeros(seen.shape[1])
    step = max(1, _CELLS // seen.shape[0])
    for start in range(0, seen.shape[1], step):
        block = users_of[start : start + step]
        leverage[start : start + step] = np.asarray(block.multiply(block @ kernel).sum(axis=1)).ravel()
    return DualEaseWeights(seen, kernel, leverage)


def _inverse(gram: np.ndarray, regularization: float) -> np.ndarray:
    """(gram + λI)⁻¹ of a symmetric matrix without negative eigenvalues, by Cholesky's factors; overwrites it."""
    if len(gram) == 0:
        return gram
    gram[np.diag_indices_from(gram)] += regularization
    factor, failed = lapack.dpotrf(gram, lower=True, overwrite_a=True)
    if failed:
        raise NumericError(f"EASE with regularization {regularization} has no stable solution; set it higher")
    inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    return np.tril(inverse) + np.tril(inverse, -1).T
