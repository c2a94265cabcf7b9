"""Intensities by how generous a user and how liked an item is."""

from dataclasses import dataclass

import numpy as np

from interestrec.core import ragged
from interestrec.scorers.requests import Labels, Requests

_MOST_ROUNDS = 1000
_SETTLED = 1e-7  # largest change of a bias in a round


@dataclass(frozen=True)
class Biases:
    """μ + b_u + b_i within [0, 1]."""

    mean: float  # μ
    user: np.ndarray  # float64 [users], 0 for those without labels
    item: np.ndarray  # float64 [items], 0 for those without labels

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return as_intensity(self.mean + self.user[requests.user][:, None] + self.item)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return as_intensity(self.of_pairs(ragged.repeat(offsets, requests.user), item))

    def of_pairs(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float64 [pairs], not yet within [0, 1]."""
        return self.mean + self.user[user] + self.item[item]


def fit(labels: Labels, user_regularization: float, item_regularization: float) -> Biases:
    """Koren 2010: the minimum of Σ (r − μ − b_u − b_i)² + λ_u Σ b_u² + λ_i Σ b_i², μ being the mean of all labels.

    Users' and items' biases are solved for in turn until neither changes.

    Args:
        user_regularization: λ_u, as many labels without any deviation as a user is given in advance.
        item_regularization: λ_i, the same of items.
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


def as_intensity(value: np.ndarray) -> np.ndarray:
    """float32, cut off at 0 and 1."""
    return np.clip(value, 0.0, 1.0).astype(np.float32)


def _shrunk_mean(owner: np.ndarray, value: np.ndarray, owners: int, regularization: float) -> np.ndarray:
    total = np.bincount(owner, value, minlength=owners)
    weight = np.bincount(owner, minlength=owners) + regularization
    return np.divide(total, weight, out=np.zeros(owners), where=weight > 0)
