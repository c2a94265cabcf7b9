"""Content similarity: scores by the text vectors of the adapted encoder, without finetuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import pair_dots, row_products, row_sums
from interestrec.scorers.definition import AGAIN, NOTHING, ScorerDefinition
from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class Content:
    """Scores by the cosine of an item's vector and the intensity-weighted mean of the history's unit vectors."""

    unit: np.ndarray  # float32 [items, width], rows of length 1; zeros for items without text

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 throughout for an empty history."""
        return row_products(self._profiles(requests), self.unit)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        profile = self._profiles(requests)
        return pair_dots(profile[ragged.owner(offsets)], self.unit[item])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"unit": self.unit}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(arrays["unit"])

    def _profiles(self, requests: Requests) -> np.ndarray:
        shape = (len(requests), len(self.unit))
        weights = sparse.csr_matrix((requests.intensity, requests.item, requests.offsets), shape=shape)
        return unit_rows(weights @ self.unit)


def fit(text_vectors: np.ndarray) -> Content:
    """Scale the text vectors of the items, float32 [items, width], to length 1."""
    return Content(unit_rows(text_vectors))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros remain zeros; float32 [rows, width]."""
    length = np.sqrt(row_sums(vectors * vectors))[:, None]
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


DEFINITION = ScorerDefinition(
    fit=fit, scorer=Content, fitted_on=NOTHING, follows=AGAIN, needs=("text_vectors",), component="content"
)
