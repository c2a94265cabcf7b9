"""ALS: implicit-feedback matrix factorisation that computes user factors from the request's history."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread, row_products
from interestrec.core.section import Count, Positive
from interestrec.scorers.definition import FOLDED_IN, GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import event_matrix, history_matrix, item_dots
from interestrec.scorers.requests import Events, Requests


class AlsSettings(EvidenceSettings):
    """Settings of `als`: implicit matrix factorisation."""

    factors: Count = 64
    """Length of the vectors of users and items; longer ones fit more and cost more time."""
    regularization: Positive = 0.05
    """Strength with which vectors are kept small; larger acts against over-fitting."""
    iterations: Count = 15
    """Rounds of solving for users and items in turn."""
    alpha: Positive = 1.0
    """Weight of observed pairs: confidence is `1 + alpha * log(1 + weight of the events)`. Larger trusts observed
    events more."""


@dataclass(frozen=True)
class Als:
    """Scores by the dot product of an item's factors and the user factors that fit the request's history best."""

    item_factors: np.ndarray  # float32 [warm items, factors]
    warm_items: np.ndarray  # int64 [warm items], corpus rows of the items with factors, ascending
    user_gram: np.ndarray  # float32 [factors, factors], Σ u uᵀ over the users of the fit
    n_items: int
    event_weights: EventWeights
    regularization: float
    alpha: float

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items without events and for histories without warm items."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        if len(self.warm_items):
            score[:, self.warm_items] = row_products(self._user_factors(requests), self.item_factors)
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        if len(self.warm_items) == 0:
            return np.zeros(len(item), np.float32)
        return item_dots(self._user_factors(requests), offsets, self.item_factors, self.warm_items, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "item_factors": self.item_factors,
            "warm_items": self.warm_items,
            "user_gram": self.user_gram,
            "n_items": np.array(self.n_items),
            **self.event_weights.arrays(),
            "regularization": np.array(self.regularization),
            "alpha": np.array(self.alpha),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            item_factors=arrays["item_factors"],
            warm_items=arrays["warm_items"],
            user_gram=arrays["user_gram"],
            n_items=int(arrays["n_items"]),
            event_weights=EventWeights.from_arrays(arrays),
            regularization=float(arrays["regularization"]),
            alpha=float(arrays["alpha"]),
        )

    @cached_property
    def _everything(self) -> np.ndarray:
        """YᵀY + λI of the item factors Y, float32 [factors, factors]."""
        size = self.item_factors.shape[1]
        return self.item_factors.T @ self.item_factors + np.float32(self.regularization) * np.eye(
            size, dtype=np.float32
        )

    @cached_property
    def _projected(self) -> np.ndarray:
        """Y (YᵀY + λI)⁻¹, float32 [warm items, factors]."""
        everything = self._everything.astype(np.float64)
        return np.linalg.solve(everything, self.item_factors.T).T.astype(np.float32)

    @one_blas_thread()
    def _user_factors(self, requests: Requests) -> np.ndarray:
        return self.fold_in(_damped(history_matrix(requests, self.event_weights, self.n_items)[:, self.warm_items]))

    def fold_in(self, totals: sparse.csr_matrix) -> np.ndarray:
        """Solve (YᵀY + λI + Σ (c − 1) y yᵀ) x = Σ c y over the items of each row, as `implicit` does in the fit.

        Products and solutions are of one row each, so that their bits depend on it alone.

        Args:
            totals: damped totals, float32 [users, warm items].

        Returns:
            float32 [users, factors].
        """
        confidence = np.float32(self.alpha) * totals.data
        size = self.item_factors.shape[1]
        users = np.zeros((totals.shape[0], size), np.float32)
        for row in np.flatnonzero(np.diff(totals.indptr)):
            entries = slice(totals.indptr[row], totals.indptr[row + 1])
            own, weight = totals.indices[entries], confidence[entries]
            factors = self.item_factors[own]
            if len(own) < size:  # a smaller system: (M + YᵀDY)⁻¹Yᵀc = M⁻¹Yᵀ(I + D Y M⁻¹ Yᵀ)⁻¹c (Woodbury)
                projected = self._projected[own]
                system = (weight - 1)[:, None] * (projected @ factors.T) + np.eye(len(own), dtype=np.float32)
                users[row] = np.linalg.solve(system, weight) @ projected
            else:
                gram = (factors * (weight - 1)[:, None]).T @ factors + self._everything
                users[row] = np.linalg.solve(gram, weight @ factors)
        return users


def fit(
    events: Events,
    relevant_from: float,
    factors: int,
    regularization: float,
    iterations: int,
    alpha: float,
    seed: int,
    weak_evidence: float = 0.0,
) -> Als:
    """Factorise by Hu, Koren and Volinsky 2008 with confidence 1 + alpha · log(1 + Σ weight) per pair with events.

    Only users and items with events take part, so that the initial values, and therefore the result, do not depend on
    the other users and items of the corpus, nor on the names of users.

    Args:
        events: positive events; their weights are those of EventWeights.
        relevant_from: minimum relevant intensity.
        weak_evidence: see EventWeights.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    event_weights = EventWeights(relevant_from, weak_evidence)
    events, weight = event_weights.select(events)
    warm_items = np.unique(events.item).astype(np.int64)
    if len(warm_items) == 0:
        no_factors = np.zeros((0, factors), dtype=np.float32)
        no_gram = np.zeros((factors, factors), dtype=np.float32)
        return Als(no_factors, warm_items, no_gram, events.n_items, event_weights, regularization, alpha)
    totals = event_matrix(events, weight)[:, warm_items]
    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            num_threads=len(os.sched_getaffinity(0)),  # each row is solved alone: the bits do not depend on them
            random_state=seed,
        )
        model.fit(_damped(totals), show_progress=False)
        gram = model.user_factors.T @ model.user_factors
    return Als(model.item_factors, warm_items, gram, events.n_items, event_weights, regularization, alpha)


def follow(scorer: Als, after: Events, forgotten: np.ndarray) -> Als:
    """Fold in the items that have no factors yet; the others keep theirs.

    The factors solve the least squares of `implicit` for the factors x of the users of an item, folded in by all of
    their events: (G + Σ (c − 1) x xᵀ + λ I) y = Σ c x, with the confidence c = alpha · log(1 + Σ weight) and the Gram
    matrix G of the users of the fit.
    """
    scorer = replace(scorer, n_items=after.n_items)
    events, weight = scorer.event_weights.select(after)
    new = np.setdiff1d(events.item, scorer.warm_items)
    if len(new) == 0 or len(scorer.warm_items) == 0:
        return scorer
    totals = _damped(event_matrix(events, weight))
    users = scorer.fold_in(totals[:, scorer.warm_items].tocsr()).astype(np.float64)
    by_item = totals[:, new].T.tocsr()
    factors = np.zeros((len(new), users.shape[1]), np.float32)
    ridge = scorer.user_gram + scorer.regularization * np.eye(users.shape[1])
    with one_blas_thread():
        for row in range(len(new)):
            entries = slice(by_item.indptr[row], by_item.indptr[row + 1])
            x, confidence = users[by_item.indices[entries]], scorer.alpha * by_item.data[entries].astype(np.float64)
            factors[row] = np.linalg.solve(ridge + (x.T * (confidence - 1.0)) @ x, confidence @ x)
    warm_items = np.append(scorer.warm_items, new)
    order = np.argsort(warm_items)
    return replace(
        scorer, warm_items=warm_items[order], item_factors=np.append(scorer.item_factors, factors, axis=0)[order]
    )


def _damped(totals: sparse.csr_matrix) -> sparse.csr_matrix:
    """log(1 + total weight), because each further event of a pair adds less evidence of preference."""
    return totals.log1p().tocsr()


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Als,
    fitted_on=GRADED_EVENTS,
    follows=FOLDED_IN,
    follow=follow,
    needs=("relevant_from", "seed"),
    settings=AlsSettings,
    space={
        "factors": [16, 32, 64, 128, 256],
        "regularization": [0.01, 0.05, 0.2, 1.0, 5.0],
        "alpha": [0.5, 1.0, 4.0, 16.0, 64.0],
        "weak_evidence": WEAK_EVIDENCE,
    },
    evidence_settings=("weak_evidence",),
    component="collaborative",
)
