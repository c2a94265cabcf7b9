"""Exact top-k of score matrices with a fixed tie-break order."""

import numpy as np

from interestrec.core import ragged


def top_k(score: np.ndarray, k: int, tie_order: np.ndarray) -> np.ndarray:
    """Return the columns of the k best scores of each row, best first; int64 [rows, min(k, columns)].

    Args:
        score: float [rows, columns] without NaN; −inf ranks below every other score.
        tie_order: [columns], distinct; among equal scores the lower value ranks first.
    """
    rows, columns = score.shape
    k = min(k, columns)
    threshold = np.partition(score, columns - k, axis=1)[:, columns - k, None]
    kept = score >= threshold
    # Where ties at the threshold exceed k, they are broken by tie order.
    for tied_row in np.flatnonzero(np.count_nonzero(kept, axis=1) > k):
        tied = np.flatnonzero(score[tied_row] == threshold[tied_row])
        places = k - int((score[tied_row] > threshold[tied_row]).sum())
        kept[tied_row, tied] = False
        kept[tied_row, tied[np.argpartition(tie_order[tied], places - 1)[:places]]] = True
    row, column = np.divmod(np.flatnonzero(kept), columns)  # `nonzero` of a matrix takes seven times as long
    order = np.lexsort((tie_order[column], -score[row, column], row))
    return column[order].reshape(rows, k)


def ranks(offsets: np.ndarray, score: np.ndarray, tie_order: np.ndarray) -> np.ndarray:
    """Rank every row within its list, from 1; int32 [rows].

    Args:
        offsets: int64 [lists + 1]; list i is rows `offsets[i]:offsets[i + 1]`.
        score: float [rows].
        tie_order: [rows]; among equal scores the lower value ranks first.
    """
    owner = ragged.owner(offsets)
    order = np.lexsort((tie_order, -score, owner))
    rank = np.empty(len(score), dtype=np.int32)
    rank[order] = ragged.positions(offsets) + 1
    return rank
