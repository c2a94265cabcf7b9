"""Item k-nearest neighbours: scores items by the similarity of their users to those of the history's items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

from interestrec.core import ragged
from interestrec.core.choices import pick
from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import item_matrix
from interestrec.core.section import Count, NotNegative, Positive
from interestrec.scorers.catalogue_rows import SparseRows, sorted_rows
from interestrec.scorers.definition import EXACTLY, GRADED_EVENTS, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import WEAK_EVIDENCE, EventWeights, EvidenceSettings
from interestrec.scorers.interactions import history_recency_matrix, products, quick_form, sparse_dots
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.shared_users import count
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional
from interestrec.scorers.tally import Tally


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
        return products(history.astype(np.float32), self._quick)

    def catalogue_rows(self, requests: Requests) -> SparseRows:
        """See GivesRows."""
        history = history_recency_matrix(requests, self.event_weights, self.similarity.shape[0], self.half_life)
        return SparseRows(sorted_rows(history.astype(np.float32) @ self.similarity))

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
    def _quick(self) -> sparse.csr_matrix | np.ndarray:
        return quick_form(self.similarity)

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

    With x_i and d = x_i · x_j as in `count`, s(i, j) is

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
    tally = count(events, relevant_from, half_life, weak_evidence)
    return finish(tally, relevant_from, neighbours, shrinkage, similarity, half_life, weak_evidence)


def finish(
    tally: Tally,
    relevant_from: float,
    neighbours: int,
    shrinkage: float,
    similarity: str,
    half_life: float | None,
    weak_evidence: float,
) -> ItemKnn:
    """See fit."""
    normaliser = pick(SIMILARITIES, similarity, "similarity")
    lengths = tally.cells("length")
    length = lengths.dense(tally.n_items)

    def similarity_of(row: np.ndarray, column: np.ndarray, shared: np.ndarray) -> np.ndarray:
        size = normaliser(length[row], length[column], shared) + shrinkage
        return np.divide(shared, size, out=np.zeros_like(size), where=size > 0)  # very old events weigh 0

    products = tally.sums["shared"].blocks(tally.all_items)
    similarities = item_matrix(products, tally.n_items, similarity_of, neighbours).T.tocsr()
    similarities.sort_indices()
    warm = lengths.counts(tally.n_items) > 0
    return ItemKnn(similarities, warm, neighbours, EventWeights(relevant_from, weak_evidence), half_life)


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
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("relevant_from", "half_life", "weak_evidence"),
        prepare=lambda tally: tally.with_blocks_kept("shared"),
        finish=finish,
        finishing=("relevant_from", "neighbours", "shrinkage", "similarity", "half_life", "weak_evidence"),
    ),
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
