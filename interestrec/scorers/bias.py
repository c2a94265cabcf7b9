"""Bias model: predicts intensity as the mean label plus a user bias and an item bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.core.section import Positive, Section
from interestrec.scorers.definition import AGAIN, LABELS, ScorerDefinition
from interestrec.scorers.requests import Events, Labels, Requests, user_rows
from interestrec.scorers.stored_arrays import with_rows

_MOST_ROUNDS = 1000
_SETTLED = 1e-7  # largest change of an item bias per round at which the solution counts as converged


class BiasSettings(Section):
    """Settings of `bias`: intensity by user and item means."""

    item_regularization: Positive = 3.0
    """Number of average labels that an item has in advance; larger draws items with few labels closer to the mean."""
    user_regularization: Positive = 3.0
    """Number of average labels that a user has in advance; larger draws users with few labels closer to the mean."""


@dataclass(frozen=True)
class Biases:
    """Predicts μ + b_u + b_i, clipped to [0, 1]."""

    mean: float  # μ
    user: np.ndarray  # float64 [users], 0 for users without labels
    item: np.ndarray  # float64 [items], 0 for items without labels

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return clip_intensity(self.of_users(requests.user)[:, None] + self.item)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return clip_intensity(self.predict_pairs(ragged.repeat(offsets, requests.user), item))

    def predict_pairs(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float64 [pairs]: μ + b_u + b_i before clipping."""
        return self.of_users(user) + self.item[item]

    def of_users(self, user: np.ndarray) -> np.ndarray:
        """float64 [n]: μ + b_u, μ for users who are not in the corpus."""
        return self.mean + user_rows(self.user, user, 0.0)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"mean": np.array(self.mean), "user": self.user, "item": self.item}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(float(arrays["mean"]), arrays["user"], arrays["item"])


def fit(labels: Labels, user_regularization: float, item_regularization: float) -> Biases:
    """Minimise Σ (r − μ − b_u − b_i)² + λ_u Σ b_u² + λ_i Σ b_i², where μ is the mean of all labels (Koren 2010).

    Item and user biases are solved for in turn until the item biases converge.

    Args:
        user_regularization: λ_u, the number of average labels added to every user.
        item_regularization: λ_i, the number of average labels added to every item.
    """
    label = labels.label.astype(np.float64)
    mean = float(label.mean()) if len(label) else 0.0
    residual = label - mean
    user, item = np.zeros(labels.n_users), np.zeros(labels.n_items)
    for _ in range(_MOST_ROUNDS):
        previous = item
        item = _shrunk_mean(labels.item, residual - user[labels.user], labels.n_items, item_regularization)
        user = _shrunk_mean(labels.user, residual - item[labels.item], labels.n_users, user_regularization)
        if np.abs(item - previous).max(initial=0.0) < _SETTLED:
            break
    return Biases(mean, user, item)


def clip_intensity(value: np.ndarray) -> np.ndarray:
    """Clip values to [0, 1]; float32."""
    return np.clip(value, 0.0, 1.0).astype(np.float32)


def _shrunk_mean(owner: np.ndarray, value: np.ndarray, owners: int, regularization: float) -> np.ndarray:
    total = np.bincount(owner, value, minlength=owners)
    weight = np.bincount(owner, minlength=owners) + regularization
    return np.divide(total, weight, out=np.zeros(owners), where=weight > 0)


def follow(scorer: Biases, after: Events, forgotten: np.ndarray) -> Biases:
    """Keep what was learned; new users and items, and forgotten users, have no bias."""
    user = with_rows(scorer.user, after.n_users)
    user[forgotten] = 0.0
    return Biases(scorer.mean, user, with_rows(scorer.item, after.n_items))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Biases,
    fitted_on=LABELS,
    follows=AGAIN,
    follow=follow,
    settings=BiasSettings,
    space={
        "item_regularization": [1.0, 3.0, 5.0, 10.0, 25.0],
        "user_regularization": [1.0, 3.0, 5.0, 10.0, 25.0],
    },
    predicts_intensity=True,
    component="bias",
    is_estimator=True,
)
