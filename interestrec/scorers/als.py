"""ALS: implicit-feedback matrix factorisation that computes user factors from the request's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Count, Positive
from interestrec.scorers.definition import GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import event_matrix, history_matrix, item_dots, one_blas_thread
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
    warm_items: np.ndarray  # int64 [warm items], corpus rows of the items with events, ascending
    n_items: int
    event_weights: EventWeights
    regularization: float
    alpha: float

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 for items without events and for histories without warm items."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        if len(self.warm_items):
            score[:, self.warm_items] = self._user_factors(requests) @ self.item_factors.T
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
            n_items=int(arrays["n_items"]),
            event_weights=EventWeights.from_arrays(arrays),
            regularization=float(arrays["regularization"]),
            alpha=float(arrays["alpha"]),
        )

    @cached_property
    def _solver(self) -> Any:
        """The `implicit` model with these item factors, which folds users in."""
        from implicit.cpu.als import AlternatingLeastSquares

        model = AlternatingLeastSquares(
            factors=self.item_factors.shape[1],
            regularization=self.regularization,
            alpha=self.alpha,
            num_threads=1,
        )
        model.item_factors = self.item_factors
        return model

    def _user_factors(self, requests: Requests) -> np.ndarray:
        history = history_matrix(requests, self.event_weights, self.n_items)[:, self.warm_items]
        with one_blas_thread():
            return self._solver.recalculate_user(np.arange(len(requests)), _damped(history))


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
        return Als(no_factors, warm_items, events.n_items, event_weights, regularization, alpha)
    totals = event_matrix(events, weight)[:, warm_items]
    with one_blas_thread():
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(_damped(totals), show_progress=False)
    return Als(model.item_factors, warm_items, events.n_items, event_weights, regularization, alpha)


def _damped(totals: sparse.csr_matrix) -> sparse.csr_matrix:
    """log(1 + total weight), because each further event of a pair adds less evidence of preference."""
    return totals.log1p().tocsr()


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Als,
    fitted_on=GRADED_EVENTS,
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
