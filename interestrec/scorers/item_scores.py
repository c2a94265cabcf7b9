"""ItemScores: a scorer with one score per item for all requests, such as popularity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core.deferred_import import np, sparse
from interestrec.scorers.catalogue_rows import SparseRows
from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class ItemScores:
    """Scores an item equally for every request."""

    score: np.ndarray  # float32 [items]

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return np.repeat(self.score[None, :], len(requests), axis=0)

    def catalogue_rows(self, requests: Requests) -> SparseRows:
        """See GivesRows."""
        nothing = sparse.csr_matrix((len(requests), len(self.score)), dtype=np.float32)
        return SparseRows(nothing, self.score)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return self.score[item]

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"score": self.score}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(arrays["score"])
