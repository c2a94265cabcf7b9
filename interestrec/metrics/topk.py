"""Exact top-k of score matrices with a fixed order among ties."""

import numpy as np


def top_k(score: np.ndarray, k: int, precedence: np.ndarray) -> np.ndarray:
    """Columns of the k best scores of each row, best first; int64 [rows, min(k, columns)].

    Args:
        score: float [rows, columns] without NaN; −inf is worse than everything.
        precedence: [columns], distinct; among equal scores the lower comes first.
    """
    rows, columns = score.shape
    k = min(k, columns)
    by_precedence = np.argsort(precedence, kind="stable")
    score = score[:, by_precedence]  # from here a tie goes to the lower column
    threshold = np.partition(score, columns - k, axis=1)[:, columns - k, None]
    above, level = score > threshold, score == threshold
    missing = k - above.sum(axis=1, keepdims=True)
    kept = above | (level & (np.cumsum(level, axis=1) <= missing))
    chosen = np.nonzero(kept)[1].reshape(rows, k)
    order = np.argsort(-np.take_along_axis(score, chosen, axis=1), axis=1, kind="stable")
    return by_precedence[np.take_along_axis(chosen, order, axis=1)]


def ranks(offsets: np.ndarray, score: np.ndarray, precedence: np.ndarray) -> np.ndarray:
    """Rank from 1 of every row within its list; int32 [rows].

    Args:
        offsets: int64 [lists + 1], where each list's rows begin.
        score: float [rows].
        precedence: [rows]; among equal scores the lower comes first.
    """
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((precedence, -score, owner))
    rank = np.empty(len(score), dtype=np.int32)
    rank[order] = np.arange(len(score)) - offsets[:-1][owner] + 1
    return rank
