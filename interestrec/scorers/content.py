"""Text similarity without training: pooled vectors of the encoder as it came from adaptation."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from interestrec.core import ragged
from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class Content:
    """Cosine of an item's vector to the intensity-weighted mean of the history's unit vectors."""

    unit: np.ndarray  # float32 [items, width], rows of length 1 or, without text, 0

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 throughout for an empty history."""
        return self._profiles(requests) @ self.unit.T

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        profile = self._profiles(requests)
        return np.einsum("nw,nw->n", profile[ragged.owner(offsets)], self.unit[item])

    def _profiles(self, requests: Requests) -> np.ndarray:
        shape = (len(requests), len(self.unit))
        weights = sparse.csr_matrix((requests.intensity, requests.item, requests.offsets), shape=shape)
        return unit_rows(weights @ self.unit)


def fit(vectors: np.ndarray) -> Content:
    """Prepare the frozen vectors; float32 [items, width]."""
    return Content(unit_rows(vectors))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, those of zeros left as they are; float32 [rows, width]."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
