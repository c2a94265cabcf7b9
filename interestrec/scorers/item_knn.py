"""Item k-nearest neighbours: scores items by the similarity of their users to those of the history's items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

from interestrec.core import ragged
from interestrec.core.choices import pick
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Count, NotNegative, Positive
from interestrec.scorers.definition import GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import event_recency_matrix, history_recency_matrix, sparse_dots
from interestrec.scorers.largest_entries import item_matrix
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional


class ItemKnnSettings(EvidenceSettings):
    """Settings of `item_knn`: items that the users of the history's items also had."""

    similarity: Literal["cosine", "jaccard"] = "cosine"
    """Similarity of two items by their users: `cosine`, or `jaccard`, the shared users over all users of both."""
    neighbours: Count = 100
    """Most similar items that each item keeps; fewer are faster and less noisy."""
    shrinkage: NotNegative = 10.0
    """Added to the divisor of the similarity, so that items with few users are less similar; larger trusts popular
    pairs more."""
    half_life: Positive | None = None
    """Days after which an event and a history entry count half; shorter follows trends faster. `null` = all count
    alike."""


@dataclass(frozen=True)
class ItemKnn:
    """Scores by the sum of the similarities of a candidate to the distinct history items times weight · recency."""

    similarity: sparse.csr_matrix  # float32 [items, items]; rows are items of the history
    warm: np.ndarray  # bool [items]: the item has events of a weight above 0
    neighbours: int  # maximum number of similar items per item
    event_weights: EventWeights
    half_life: float | None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        history = history_recency_matrix(requests, self.event_weights, self.similarity.shape[0], self.half_life)
        return (history.astype(np.float32) @ self.similarity).toarray()

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        history = history_recency_matrix(requests, self.event_weights, self.similarity.shape[0], self.half_life)
        return sparse_dots(history, ragged.owner(offsets), self._by_candidate, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **pack_matrix("similarity", self.similarity),
            "warm": self.warm,
            "neighbours": np.array(self.neighbours),
            **self.event_weights.arrays(),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            similarity=unpack_matrix("similarity", arrays),
            warm=arrays["warm"],
            neighbours=int(arrays["neighbours"]),
            event_weights=EventWeights.from_arrays(arrays),
            half_life=unpack_optional(arrays["half_life"]),
        )

    @cached_property
    def _by_candidate(self) -> sparse.csr_matrix:
        return self.similarity.T.tocsr()


def fit(
    events: Events,
    relevant_from: float,
    neighbours: int,
    shrinkage: float,
    similarity: str = "cosine",
    half_life: float | None = None,
    weak_evidence: float = 0.0,
) -> ItemKnn:
    """Compute the similarities of items by their users, shrunk towards 0 for items with few users.

    With x_i the vector over users of their highest weight · recency of an event with item i, where the weight is that
    of EventWeights and the recency is 1 without a half-life, and d = x_i · x_j, s(i, j) is

    - cosine: d / (|x_i| |x_j| + shrinkage) (Deshpande and Karypis 2004; shrinkage as in Bell and Koren 2007);
    - jaccard: d / (|x_i|² + |x_j|² − d + shrinkage), which is |U_i ∩ U_j| / (|U_i ∪ U_j| + shrinkage) if all
      entries are 1, and its Tanimoto extension otherwise.

    Each item j keeps its `neighbours` most similar items i, ties by the lower row.

    Args:
        events: positive events.
        relevant_from: minimum relevant intensity.
        half_life: days after which the weight of an event or history entry halves; None: never.
        weak_evidence: see EventWeights.

    Raises:
        ConfigError: `similarity` is unknown.
    """
    normaliser = pick(SIMILARITIES, similarity, "similarity")
    event_weights = EventWeights(relevant_from, weak_evidence)
    events, weight = event_weights.select(events)
    seen = event_recency_matrix(events, weight, half_life)
    length = np.asarray(seen.multiply(seen).sum(axis=0)).ravel()

    def similarity_of(row: np.ndarray, column: np.ndarray, shared: np.ndarray) -> np.ndarray:
        size = normaliser(length[row], length[column], shared) + shrinkage
        return np.divide(shared, size, out=np.zeros_like(size), where=size > 0)  # very old events weigh 0

    similarities = item_matrix(seen, seen, similarity_of, neighbours).T.tocsr()
    similarities.sort_indices()
    warm = np.zeros(events.n_items, dtype=bool)
    warm[events.item] = True
    return ItemKnn(similarities, warm, neighbours, event_weights, half_life)


def _cosine(left: np.ndarray, right: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.sqrt(left * right)


def _jaccard(left: np.ndarray, right: np.ndarray, shared: np.ndarray) -> np.ndarray:
    return left + right - shared


# Divisor of the dot product by similarity, from both squared lengths and the dot product.
SIMILARITIES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": _cosine,
    "jaccard": _jaccard,
}

DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemKnn,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=ItemKnnSettings,
    space={
        "similarity": list(SIMILARITIES),
        "neighbours": [20, 50, 100, 200, 400],
        "shrinkage": [0.0, 3.0, 10.0, 30.0, 100.0],
        "half_life": HALF_LIVES,
        "weak_evidence": WEAK_EVIDENCE,
    },
    time_settings=("half_life",),
    evidence_settings=("weak_evidence",),
    per_user_settings=("shrinkage",),
)
