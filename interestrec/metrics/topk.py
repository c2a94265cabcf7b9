"""Exact top-k of score matrices with a fixed order among ties."""

import numpy as np

from interestrec.core import ragged


def top_k(score: np.ndarray, k: int, precedence: np.ndarray) -> np.ndarray:
    """Columns of the k best scores of each row, best first; int64 [rows, min(k, columns)].

    Args:
        score: float [rows, columns] without NaN; −inf is worse than everything.
        precedence: [columns], distinct; among equal scores the lower comes first.
    """
    rows, columns = score.shape
    k = min(k, columns)
    threshold = np.partition(score, columns - k, axis=1)[:, columns - k, None]
    kept = score >= threshold
    for crowded in np.flatnonzero(kept.sum(axis=1) > k):  # more at the threshold than places: by precedence
        level = np.flatnonzero(score[crowded] == threshold[crowded])
        places = k - int((score[crowded] > threshold[crowded]).sum())
        kept[crowded, level] = False
        kept[crowded, level[np.argpartition(precedence[level], places - 1)[:places]]] = True
    row, column = np.nonzero(kept)
    order = np.lexsort((precedence[column], -score[row, column], row))
    return column[order].reshape(rows, k)


def ranks(offsets: np.ndarray, score: np.ndarray, precedence: np.ndarray) -> np.ndarray:
    """Rank from 1 of every row within its list; int32 [rows].

    Args:
        offsets: int64 [lists + 1], where each list's rows begin.
        score: float [rows].
        precedence: [rows]; among equal scores the lower comes first.
    """
    owner = ragged.owner(offsets)
    order = np.lexsort((precedence, -score, owner))
    rank = np.empty(len(score), dtype=np.int32)
    rank[order] = ragged.positions(offsets) + 1
    return rank
