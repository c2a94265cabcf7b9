"""Scores of the candidates of impressions, computed in blocks."""

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer, request_blocks


def impression_scores(corpus: Corpus, scorer: Scorer, impression: np.ndarray) -> np.ndarray:
    """Score the candidates of impressions, in the order of the impressions; float32 [candidates].

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    scores = [np.zeros(0, np.float32)]
    for start, stop in request_blocks(len(impression), corpus.items.num_rows):
        query = queries.impression_queries(corpus, impression[start:stop])
        item = corpus.impressions.item[query.rows]
        scores.append(scorer.score_candidates(query.requests, query.request_offsets, item))
    return np.concatenate(scores)
