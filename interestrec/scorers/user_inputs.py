"""User inputs of the two-tower model: what is known of users, and the items of their histories."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.moments import USER_FEATURES, Moments
from interestrec.model.two_tower_config import ItemArrays
from interestrec.model.user_arrays import UserHistories
from interestrec.scorers.requests import Requests, user_rows
from interestrec.training.padded_histories import elapsed


class UserInputs(Protocol):
    """Converts requests to the user side of the two-tower model."""

    length: int  # most entries of a history

    def __call__(self, requests: Requests) -> UserHistories:
        """Return the histories of requests as arrays."""


class KnownUsers:
    """What is known of users besides their histories."""

    def __init__(self, features: np.ndarray, moments: Moments | None) -> None:
        """`features` are packed, int32 [users, columns]; without `moments` nothing is known of any moment."""
        self.features = features
        self.moments = moments

    def __call__(self, requests: Requests) -> tuple[np.ndarray, np.ndarray]:
        """Return features, int32 [requests, columns], and moments, float32 [requests, USER_FEATURES].

        The features of somebody who is not in the corpus are those of a user of whom nothing is known, all 0.
        """
        features = user_rows(self.features, requests.user, 0)
        if self.moments is None:
            return features, np.zeros((len(requests), USER_FEATURES), np.float32)
        return features, self.moments.user_features(requests.user, requests.at)


class ItemUserInputs:
    """Represents a user by the most recent items of the history."""

    def __init__(self, items: ItemArrays, length: int, users: KnownUsers) -> None:
        self.items = items
        self.length = length
        self.users = users

    def __call__(self, requests: Requests) -> UserHistories:
        """See UserInputs."""
        end = requests.offsets[1:]
        offsets, source = ragged.ranges(np.maximum(requests.offsets[:-1], end - self.length), end)
        days = elapsed(requests.time[source], ragged.repeat(offsets, requests.at))
        intensity = requests.intensity[source].astype(np.float32, copy=False)
        return UserHistories(self.items, offsets, requests.item[source], intensity, days, *self.users(requests))
