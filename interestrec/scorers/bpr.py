"""BPR: matrix factorisation that learns the order of item pairs and folds users in from their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread, pair_dots, row_products
from interestrec.core.section import Count, CountOrZero, Fraction, Positive, Section
from interestrec.scorers.definition import GRADED_EVENTS, KEPT, ScorerDefinition
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights
from interestrec.scorers.interactions import (
    event_recency_matrix,
    history_recency_matrix,
)
from interestrec.scorers.requests import Events, Requests, candidates_of_catalogue

_UNITS = 10  # repetitions of a pair of weight 1 if weights differ


class BprSettings(Section):
    """Settings of `bpr`: matrix factorisation that learns the order of pairs."""

    factors: Count = 64
    """Length of the vectors of users and items; longer ones fit more and cost more time."""
    learning_rate: Positive = 0.05
    """Step size of the stochastic ascent; lower it where results are unstable."""
    regularization: Positive = 0.01
    """Strength with which vectors are kept small; larger acts against over-fitting."""
    iterations: Count = 100
    """Passes over the pairs of user and item."""
    fold_steps: CountOrZero = 0
    """Steps from the mean of a history's item vectors towards the user vector that explains it best; 0 takes the
    mean."""
    weak_evidence: Fraction = 0.0
    """Weight of events below `data.relevant_at`, as a share of the weight of relevant ones, in proportion to their
    intensity; 0 counts relevant events alone."""


@dataclass(frozen=True)
class BprFactors:
    """Scores by u · v_j + b_j, where u is folded in from the request's history, also for users seen in training."""

    factors: np.ndarray  # float32 [warm items, factors], v
    bias: np.ndarray  # float32 [warm items], b
    popularity: np.ndarray  # float64 [warm items], shares of training pairs: sampling rates of negatives
    warm_items: np.ndarray  # int64 [warm items], corpus rows of the items with events, ascending
    n_items: int
    event_weights: EventWeights
    regularization: float
    fold_steps: int

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]: scores minus the lowest score of the request; 0 for items without events."""
        score = np.zeros((len(requests), self.n_items), dtype=np.float32)
        if len(self.warm_items):
            dot = row_products(self._fold_in(requests), self.factors) + self.bias
            score[:, self.warm_items] = dot - dot.min(axis=1, keepdims=True)
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return candidates_of_catalogue(self.score_catalogue, self.n_items, requests, offsets, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "factors": self.factors,
            "bias": self.bias,
            "popularity": self.popularity,
            "warm_items": self.warm_items,
            "n_items": np.array(self.n_items),
            **self.event_weights.arrays(),
            "regularization": np.array(self.regularization),
            "fold_steps": np.array(self.fold_steps),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            **{name: arrays[name] for name in ("factors", "bias", "popularity", "warm_items")},
            n_items=int(arrays["n_items"]),
            event_weights=EventWeights.from_arrays(arrays),
            regularization=float(arrays["regularization"]),
            fold_steps=int(arrays["fold_steps"]),
        )

    def _fold_in(self, requests: Requests) -> np.ndarray:
        history = history_recency_matrix(requests, self.event_weights, self.n_items, None)[:, self.warm_items]
        return fold_in(history, self.factors, self.bias, self.popularity, self.regularization, self.fold_steps)


def fit(
    events: Events,
    relevant_from: float,
    factors: int,
    learning_rate: float,
    regularization: float,
    iterations: int,
    fold_steps: int,
    seed: int,
    weak_evidence: float = 0.0,
) -> BprFactors:
    """Maximise Σ ln σ(x_ui − x_uj) − λ/2 ‖·‖² over positives i and negatives j of users u (Rendle et al. 2009).

    Positive pairs are drawn in proportion to their highest weight, and negatives j to the sum of these over users. Only
    users and items with events take part, so that the initial values, and therefore the result, do not depend on the
    other users and items of the corpus, nor on the names of users.

    Args:
        events: positive events; their weights are those of EventWeights.
        relevant_from: minimum relevant intensity.
        regularization: λ, in training and in `fold_in`.
        fold_steps: see `fold_in`.
        weak_evidence: see EventWeights; weights are rounded to tenths.
    """
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    event_weights = EventWeights(relevant_from, weak_evidence)
    events, weight = event_weights.select(events)
    warm_items = np.unique(events.item).astype(np.int64)
    if len(warm_items) == 0:
        none = np.zeros(0, dtype=np.float32)
        return BprFactors(
            none[:, None], none, none, warm_items, events.n_items, event_weights, regularization, fold_steps
        )
    seen = event_recency_matrix(events, weight, None)[:, warm_items]
    pairs, passes = _repeated(seen)
    model = BayesianPersonalizedRanking(
        factors=factors,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=max(1, round(iterations / passes)),
        num_threads=1,
        random_state=seed,
    )
    with one_blas_thread():
        model.fit(pairs, show_progress=False)
    drawn = np.bincount(pairs.indices, minlength=len(warm_items))
    return BprFactors(
        factors=np.ascontiguousarray(model.item_factors[:, :-1]),
        bias=np.ascontiguousarray(model.item_factors[:, -1]),
        popularity=drawn / drawn.sum(),
        warm_items=warm_items,
        n_items=events.n_items,
        event_weights=event_weights,
        regularization=regularization,
        fold_steps=fold_steps,
    )


def _repeated(seen: sparse.csr_matrix) -> tuple[sparse.csr_matrix, float]:
    """Return pairs repeated in proportion to their weights, and how often a pair is drawn more than without repetition.

    `implicit` draws pairs uniformly. Pairs of equal weight occur once each.
    """
    if (seen.data == 1.0).all():
        return seen.astype(np.float32), 1.0
    times = np.maximum(np.rint(seen.data * _UNITS), 1).astype(np.int64)
    pointer = np.concatenate([[0], np.cumsum(times)])[seen.indptr]
    ones = np.ones(times.sum(), np.float32)
    return sparse.csr_matrix((ones, np.repeat(seen.indices, times), pointer), shape=seen.shape), float(_UNITS)


def fold_in(
    history: sparse.csr_matrix,
    factors: np.ndarray,
    bias: np.ndarray,
    popularity: np.ndarray,
    regularization: float,
    steps: int,
) -> np.ndarray:
    """Compute user vectors for fixed item factors, float64 [requests, factors]; 0 for an empty history.

    Gradient ascent starts from the mean of the history's factors and maximises

        f(u) = weighted mean over i of ln σ(u · (v_i − v̄) + b_i − b̄) − λ/2 ‖u‖²,

    where v̄ and b̄ are the means over the distribution of negatives. f is concave with curvature at most
    mean |v_i − v̄|² / 4 + λ; the step size is the inverse of that bound, so every step increases f.

    Args:
        history: [requests, items], weights of the items of the history.
        popularity: [items], shares of the negatives.
        regularization: λ.
        steps: number of ascent steps; few steps keep u near the mean, which ranks better than the maximum.
    """
    total = np.asarray(history.sum(axis=1))
    row = ragged.owner(history.indptr)
    mean = history.multiply(np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)).tocsr()
    margin = factors - popularity @ factors
    margin_bias = (bias - popularity @ bias)[history.indices]
    step = 1.0 / ((mean @ (margin**2).sum(axis=1))[:, None] / 4 + regularization)
    user = mean @ factors.astype(np.float64)
    for _ in range(steps):
        score_margin = pair_dots(user[row], margin[history.indices]) + margin_bias
        pull = sparse.csr_matrix(
            (mean.data * _sigmoid(-score_margin), history.indices, history.indptr), shape=history.shape
        )
        user += step * (pull @ margin - regularization * user)
    return user


def follow(scorer: BprFactors, after: Events, forgotten: np.ndarray) -> BprFactors:
    """Keep what was learned; new items are items without events."""
    return replace(scorer, n_items=after.n_items)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # exp overflows to infinity, which gives 0
        return 1.0 / (1.0 + np.exp(-x))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=BprFactors,
    fitted_on=GRADED_EVENTS,
    follows=KEPT,
    follow=follow,
    needs=("relevant_from", "seed"),
    settings=BprSettings,
    space={
        "factors": [16, 32, 64, 128],
        "learning_rate": [0.01, 0.03, 0.1],
        "regularization": [0.001, 0.01, 0.05],
        "iterations": [50, 100, 200],
        "fold_steps": [0, 3],
        "weak_evidence": WEAK_EVIDENCE,
    },
    evidence_settings=("weak_evidence",),
    component="factorization",
)
