"""EASE: predicts every item from all others by one ridge regression in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.errors import NumericError
from interestrec.core.section import Count, Positive
from interestrec.scorers.definition import GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.ease_neighbours import SparseEaseWeights, neighbour_weights
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import (
    event_recency_matrix,
    history_recency_matrix,
    item_positions,
    mixed_dots,
    one_blas_thread,
)
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional

_CELLS = 1 << 22  # items × users of one dense block


class EaseSettings(EvidenceSettings):
    """Settings of `ease`: item-item regression in closed form."""

    regularization: Positive = 200.0
    """Strength with which weights are kept small; larger acts against over-fitting and suits sparse logs."""
    half_life: Positive | None = None
    """Days after which an event and a history entry count half; shorter follows trends faster. `null` = all count
    alike."""
    max_size: Count = 8000
    """Users or items, whichever are fewer, up to which the solution is exact; above it each item is predicted from its
    `neighbours` most similar items. Memory grows with its square, time with its cube."""
    neighbours: Count = 200
    """Items that predict an item where the solution is not exact; more are closer to it and slower."""


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
        with one_blas_thread():
            return (history @ self.seen.T).toarray() @ self.kernel

    @cached_property
    def _by_item(self) -> sparse.csr_matrix:
        return self.seen.T.tocsr()


@dataclass(frozen=True)
class Ease:
    """Scores h B, where h holds weight · recency of the distinct items of the history."""

    solution: EaseWeights | DualEaseWeights | SparseEaseWeights
    items: np.ndarray  # int64 [fitted items], their corpus rows, ascending
    n_items: int
    event_weights: EventWeights
    half_life: float | None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items outside the fit and for histories without fitted items."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        score[:, self.items] = self.solution(self._histories(requests))
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        score = np.zeros(len(item), np.float32)
        position, fitted = item_positions(self.items, item)
        score[fitted] = self.solution.at(self._histories(requests), ragged.owner(offsets)[fitted], position[fitted])
        return score

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **self.solution.arrays(),
            "items": self.items,
            "n_items": np.array(self.n_items),
            **self.event_weights.arrays(),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            solution=_form(arrays).from_arrays(arrays),
            items=arrays["items"],
            n_items=int(arrays["n_items"]),
            event_weights=EventWeights.from_arrays(arrays),
            half_life=unpack_optional(arrays["half_life"]),
        )

    def _histories(self, requests: Requests) -> sparse.csr_matrix:
        return history_recency_matrix(requests, self.event_weights, self.n_items, self.half_life)[:, self.items]


def fit(
    events: Events,
    relevant_from: float,
    regularization: float,
    max_size: int,
    half_life: float | None = None,
    weak_evidence: float = 0.0,
    neighbours: int = 200,
) -> Ease:
    """Minimise ‖X − XB‖² + λ‖B‖² subject to diag(B) = 0, where X is users × items (Steck 2019).

    With P = (XᵀX + λI)⁻¹, B = I − P diag(P)⁻¹. The smaller of the two Gram matrices is inverted: with fewer users than
    items, P = (I − XᵀKX) / λ, K = (XXᵀ + λI)⁻¹, so that off the diagonal B = XᵀKX (I − diag(XᵀKX))⁻¹.

    Args:
        events: positive events; an entry of X is the highest weight · recency of a pair, where the weight is that of
            EventWeights and the recency is 1 without a half-life.
        relevant_from: minimum relevant intensity.
        regularization: λ.
        max_size: maximum rows of the matrix to invert; if both users and items exceed it, the solution is that of
            `neighbour_weights`.
        half_life: days after which the weight of an event or history entry halves; None: never.
        weak_evidence: see EventWeights.
        neighbours: number of items that predict an item beyond `max_size`.

    Raises:
        NumericError: the regularized Gram matrix is not positive definite.
    """
    event_weights = EventWeights(relevant_from, weak_evidence)
    seen = event_recency_matrix(*event_weights.select(events), half_life)
    items = np.flatnonzero(np.diff(seen.tocsc().indptr)).astype(np.int64)
    seen = seen[:, items]
    solution: EaseWeights | DualEaseWeights | SparseEaseWeights
    with one_blas_thread():
        if min(seen.shape) > max_size:
            solution = neighbour_weights(seen, regularization, neighbours)
        else:
            solution = _dual(seen, regularization) if seen.shape[0] < len(items) else _weights(seen, regularization)
    return Ease(solution, items, events.n_items, event_weights, half_life)


def _form(arrays: Mapping[str, np.ndarray]) -> type[EaseWeights | DualEaseWeights | SparseEaseWeights]:
    if "weights" in arrays:
        return EaseWeights
    return DualEaseWeights if "kernel" in arrays else SparseEaseWeights


def _weights(seen: sparse.csr_matrix, regularization: float) -> EaseWeights:
    inverse = _inverse((seen.T @ seen).toarray(), regularization)
    weights = (inverse / -np.diag(inverse)).astype(np.float32)
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


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Ease,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=EaseSettings,
    space={
        "regularization": [5.0, 20.0, 50.0, 100.0, 150.0, 200.0, 300.0, 450.0, 700.0, 1000.0, 1500.0, 2500.0],
        "half_life": HALF_LIVES,
        "weak_evidence": WEAK_EVIDENCE,
    },
    time_settings=("half_life",),
    evidence_settings=("weak_evidence",),
    per_user_settings=("regularization",),
    component="ease",
)
