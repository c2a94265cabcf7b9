"""Scores of the candidates of impressions, computed in blocks."""

from collections.abc import Iterator

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer, candidate_blocks


def impression_scores(corpus: Corpus, scorer: Scorer, impression: np.ndarray) -> np.ndarray:
    """Score the candidates of impressions, in the order of the impressions; float32 [candidates].

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    scores = [np.zeros(0, np.float32)]
    for start, stop in impression_blocks(corpus, impression):
        query = queries.impression_queries(corpus, impression[start:stop])
        item = corpus.impressions.item[query.rows]
        scores.append(scorer.score_candidates(query.requests, query.request_offsets, item))
    return np.concatenate(scores)


def impression_blocks(corpus: Corpus, impression: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of impressions, int64 rows of the corpus's, whose candidates are scored together."""
    return candidate_blocks(ragged.take(corpus.impressions.offsets, impression)[0])
