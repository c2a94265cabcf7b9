"""One score an item, the same for everyone: what popularity and trending have in common."""

from dataclasses import dataclass

import numpy as np

from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class ItemScores:
    """The same score of an item for every request."""

    score: np.ndarray  # float32 [items]

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return np.repeat(self.score[None, :], len(requests), axis=0)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return self.score[item]
