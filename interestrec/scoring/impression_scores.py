"""Scores of many requests, block by block."""

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.request_blocks import blocks
from interestrec.scorers.requests import Scorer


def impression_scores(corpus: Corpus, scorer: Scorer, impression: np.ndarray) -> np.ndarray:
    """Scores of the impressions' candidates, one impression after another; float32 [candidates].

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    scores = [np.zeros(0, np.float32)]
    for start, stop in blocks(len(impression), corpus.items.num_rows):
        asked = queries.impression_queries(corpus, impression[start:stop])
        item = corpus.impressions.item[asked.rows]
        scores.append(scorer.score_candidates(asked.requests, asked.request_offsets, item))
    return np.concatenate(scores)
