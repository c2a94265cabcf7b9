"""TF-IDF: scores items by the words that their texts share with the history, without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Count, Section
from interestrec.scorers.definition import AGAIN, NOTHING, ScorerDefinition
from interestrec.scorers.interactions import sparse_dots
from interestrec.scorers.requests import Requests
from interestrec.scorers.stored_arrays import pack_matrix, unpack_matrix


class TfidfSettings(Section):
    """Settings of `tfidf`: similarity of texts by shared words."""

    ngrams: Count = 1
    """Longest run of words that counts as a term; 2 adds pairs of words."""
    min_items: Count = 1
    """Fewest train items that must have a term for it to count; larger ignores rare words."""


@dataclass(frozen=True)
class Tfidf:
    """Scores by the cosine of an item's word vector and the intensity-weighted mean of the history's word vectors."""

    unit: sparse.csr_matrix  # float32 [items, words], rows of length 1; zeros for items without a known word

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items], within [0, 1]; 0 throughout for an empty history."""
        return np.ascontiguousarray((self.unit @ self._profiles(requests).toarray().T).T)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return sparse_dots(self._profiles(requests), ragged.owner(offsets), self.unit, item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return pack_matrix("unit", self.unit)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(unpack_matrix("unit", arrays))

    def _profiles(self, requests: Requests) -> sparse.csr_matrix:
        """float32 [requests, words]: rows of length 1; zeros without known words."""
        shape = (len(requests), self.unit.shape[0])
        profile = sparse.csr_matrix((requests.intensity, requests.item, requests.offsets), shape=shape) @ self.unit
        length = np.sqrt(np.asarray(profile.multiply(profile).sum(axis=1), dtype=np.float32)).ravel()
        profile.data /= ragged.repeat(profile.indptr, np.where(length > 0, length, 1.0))
        return profile


def fit(item_texts: Sequence[str], train_items: np.ndarray, ngrams: int, min_items: int) -> Tfidf:
    """Weight words by (1 + ln tf) · (1 + ln((1 + n) / (1 + df))), at length 1 per item (Salton and Buckley 1988).

    Words follow scikit-learn's definition: two or more letters or digits, in lower case and without accents.

    Args:
        item_texts: [items], the text of each item.
        train_items: bool [items], the items that define the vocabulary and the document frequencies.
        ngrams: maximum number of consecutive words per term.
        min_items: minimum number of train items that contain a term of the vocabulary.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, ngrams), min_df=min_items, dtype=np.float32, strip_accents="unicode"
    )
    try:
        vectorizer.fit([text for text, in_train in zip(item_texts, train_items, strict=True) if in_train])
    except ValueError:  # raised for an empty vocabulary
        return Tfidf(sparse.csr_matrix((len(item_texts), 1), dtype=np.float32))
    return Tfidf(vectorizer.transform(item_texts).tocsr())


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Tfidf,
    fitted_on=NOTHING,
    follows=AGAIN,
    needs=("item_texts", "train_items"),
    settings=TfidfSettings,
    component="tfidf",
)
