"""Text similarity by shared words, without any model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from interestrec.core import ragged
from interestrec.scorers.interactions import sparse_dots
from interestrec.scorers.requests import Requests


@dataclass(frozen=True)
class Tfidf:
    """Cosine of an item's words to the intensity-weighted mean of the history's."""

    unit: sparse.csr_matrix  # float32 [items, words], rows of length 1 or, without a known word, 0

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items], within [0, 1]; 0 throughout for an empty history."""
        return np.ascontiguousarray((self.unit @ self._profiles(requests).toarray().T).T)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return sparse_dots(self._profiles(requests), ragged.owner(offsets), self.unit, item)

    def _profiles(self, requests: Requests) -> sparse.csr_matrix:
        """float32 [requests, words]: rows of length 1, or 0."""
        shape = (len(requests), self.unit.shape[0])
        profile = sparse.csr_matrix((requests.intensity, requests.item, requests.offsets), shape=shape) @ self.unit
        length = np.sqrt(np.asarray(profile.multiply(profile).sum(axis=1), dtype=np.float32)).ravel()
        profile.data /= ragged.repeat(profile.indptr, np.where(length > 0, length, 1.0))
        return profile


def fit(texts: Sequence[str], known: np.ndarray, ngrams: int, min_items: int) -> Tfidf:
    """Weights (1 + ln tf) · (1 + ln((1 + n) / (1 + df))), each item's at length 1 (Salton and Buckley 1988).

    Words are what scikit-learn takes for words: runs of two and more letters or digits, in lower case and
    without accents.

    Args:
        texts: [items], the text of each item.
        known: bool [items], of train: they alone make the vocabulary and the document frequencies.
        ngrams: longest run of words that counts as one.
        min_items: known items that must have a word for it to count.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, ngrams), min_df=min_items, dtype=np.float32, strip_accents="unicode"
    )
    try:
        vectorizer.fit([text for text, inside in zip(texts, known, strict=True) if inside])
    except ValueError:  # what it raises where no word is left
        return Tfidf(sparse.csr_matrix((len(texts), 1), dtype=np.float32))
    return Tfidf(vectorizer.transform(texts).tocsr())
