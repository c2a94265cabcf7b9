"""Scores of many requests, block by block."""

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer, request_blocks


def impression_scores(corpus: Corpus, scorer: Scorer, impression: np.ndarray) -> np.ndarray:
    """Scores of the impressions' candidates, one impression after another; float32 [candidates].

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    scores = [np.zeros(0, np.float32)]
    for start, stop in request_blocks(len(impression), corpus.items.num_rows):
        query = queries.impression_queries(corpus, impression[start:stop])
        item = corpus.impressions.item[query.rows]
        scores.append(scorer.score_candidates(query.requests, query.request_offsets, item))
    return np.concatenate(scores)
