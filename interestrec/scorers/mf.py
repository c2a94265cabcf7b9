"""Biased matrix factorisation: predicts intensity by biases and the dot product of user and item factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.row_products import one_blas_thread, pair_dots, row_products
from interestrec.core.section import Count, Positive
from interestrec.scorers import bias
from interestrec.scorers.bias import Biases, BiasSettings, clip_intensity
from interestrec.scorers.definition import KEPT, LABELS, ScorerDefinition
from interestrec.scorers.requests import Events, Labels, Requests, user_rows
from interestrec.scorers.stored_arrays import with_rows

_CELLS = 1 << 22  # numbers in the vectors, or in the Gram matrices, of one block


class MfSettings(BiasSettings):
    """Settings of `mf`: intensity by user and item means and learned vectors."""

    factors: Count = 8
    """Length of the vectors of users and items; longer ones fit more and need more labels."""
    regularization: Positive = 0.05
    """Strength with which vectors are kept small, per label of the user or item; larger acts against over-fitting."""
    iterations: Count = 10
    """Rounds of solving for users and items in turn."""


@dataclass(frozen=True)
class BiasedFactors:
    """Predicts μ + b_u + b_i + p_u · q_i, clipped to [0, 1]."""

    biases: Biases
    user: np.ndarray  # float64 [users, factors], p, 0 for users without labels
    item: np.ndarray  # float64 [items, factors], q, 0 for items without labels

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        base = self.biases.of_users(requests.user)[:, None] + self.biases.item
        return clip_intensity(base + row_products(user_rows(self.user, requests.user, 0.0), self.item))

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        user = ragged.repeat(offsets, requests.user)
        dots = pair_dots(user_rows(self.user, user, 0.0), self.item[item])
        return clip_intensity(self.biases.predict_pairs(user, item) + dots)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        biases = {f"biases.{name}": array for name, array in self.biases.arrays().items()}
        return {**biases, "user": self.user, "item": self.item}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        biases = Biases.from_arrays({name: arrays[f"biases.{name}"] for name in ("mean", "user", "item")})
        return cls(biases, arrays["user"], arrays["item"])


def fit(
    labels: Labels,
    factors: int,
    regularization: float,
    iterations: int,
    user_regularization: float,
    item_regularization: float,
    seed: int,
) -> BiasedFactors:
    """Factorise the residuals of bias.fit by alternating least squares.

    Koren, Bell and Volinsky 2009; the least squares are those of Zhou et al. 2008. The objective is
    Σ (e − p_u · q_i)² + λ (Σ n_u ‖p_u‖² + Σ n_i ‖q_i‖²), where e is a label minus its bias prediction and n is the
    number of labels of a user or an item; p starts at 0, q at small random numbers.

    Args:
        regularization: λ, in squared intensity.
        iterations: rounds of solving for users, then items.
        user_regularization, item_regularization: see bias.fit.
    """
    biases = bias.fit(labels, user_regularization, item_regularization)
    residual = labels.label - biases.predict_pairs(labels.user, labels.item)
    by_user, by_item = np.argsort(labels.user, kind="stable"), np.argsort(labels.item, kind="stable")
    user = np.zeros((labels.n_users, factors))
    item = np.zeros((labels.n_items, factors))
    labelled = np.unique(labels.item)
    item[labelled] = np.random.default_rng(seed).normal(0.0, 0.1, (len(labelled), factors))
    with one_blas_thread():
        for _ in range(iterations):
            user = _ridges(
                labels.user[by_user], item[labels.item[by_user]], residual[by_user], len(user), regularization
            )
            item = _ridges(
                labels.item[by_item], user[labels.user[by_item]], residual[by_item], len(item), regularization
            )
    return BiasedFactors(biases, user, item)


def _ridges(
    owner: np.ndarray, vectors: np.ndarray, value: np.ndarray, owners: int, regularization: float
) -> np.ndarray:
    """Per owner, the x that minimises Σ (value − vector · x)² + λ n ‖x‖² over its n rows; float64 [owners, factors].

    Args:
        owner: [rows], ascending.
        vectors: float64 [rows, factors].
    """
    factors = vectors.shape[1]
    solved = np.zeros((owners, factors))
    some, first, count = np.unique(owner, return_index=True, return_counts=True)
    by_count = np.argsort(count, kind="stable")
    for alike in np.split(by_count, np.flatnonzero(np.diff(count[by_count])) + 1):  # owners with equal numbers of rows
        size = int(count[alike[0]]) if len(alike) else 0
        step = max(1, _CELLS // (factors * max(factors, size)))
        for start in range(0, len(alike), step):
            block = alike[start : start + step]
            rows = first[block][:, None] + np.arange(size)
            across = vectors[rows].transpose(0, 2, 1)  # [owners of the block, factors, size]
            gram = across @ vectors[rows] + regularization * size * np.eye(factors)
            solved[some[block]] = np.linalg.solve(gram, across @ value[rows][:, :, None])[:, :, 0]
    return solved


def follow(scorer: BiasedFactors, after: Events, forgotten: np.ndarray) -> BiasedFactors:
    """Keep what was learned; new users and items, and forgotten users, are those without labels."""
    of_users, of_items = (scorer.biases.user, scorer.user), (scorer.biases.item, scorer.item)
    user_bias, user = (with_rows(part, after.n_users) for part in of_users)
    user_bias[forgotten], user[forgotten] = 0.0, 0.0
    item_bias, item = (with_rows(part, after.n_items) for part in of_items)
    return BiasedFactors(Biases(scorer.biases.mean, user_bias, item_bias), user, item)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=BiasedFactors,
    fitted_on=LABELS,
    follows=KEPT,
    follow=follow,
    needs=("seed",),
    settings=MfSettings,
    space={
        "factors": [2, 4, 8, 12],
        "regularization": [0.03, 0.05, 0.07, 0.1, 0.2],
        "item_regularization": [3.0, 5.0, 10.0],
        "user_regularization": [3.0, 5.0, 10.0],
    },
    predicts_intensity=True,
    is_estimator=True,
)
