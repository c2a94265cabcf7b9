"""Exact top-k of score matrices with a fixed tie-break order."""

from __future__ import annotations

from interestrec.core import ragged
from interestrec.core.deferred_import import np

_BLOCK = 128  # columns whose maximum is one value; more leave too few to bound by
_BLOCKS = 4  # blocks per place of the list, at least, so that the best scores rarely share one
_SORTED = 8  # columns per place that are sorted, at most


def top_k(score: np.ndarray, k: int, tie_order: np.ndarray) -> np.ndarray:
    """Return the columns of the k best scores of each row, best first; int64 [rows, min(k, columns)].

    Of wide rows, only columns are sorted that reach a lower bound of the k-th best score: the k-th largest of the
    maxima of blocks of columns, which one pass over the row finds.

    Args:
        score: float [rows, columns] without NaN; −inf ranks below every other score.
        tie_order: [columns], distinct; among equal scores the lower value ranks first.
    """
    rows, columns = score.shape
    k = min(k, columns)
    if rows == 0 or k == 0:
        return np.zeros((rows, k), np.int64)
    bound = _lower_bounds(score, k)
    kept = score >= bound
    count = np.count_nonzero(kept, axis=1)
    for tied in np.flatnonzero(count > _SORTED * k):  # many ties, or many that the rules exclude
        kept[tied] = _exactly_kept(score[tied], k, bound[tied, 0], tie_order)
        count[tied] = k
    row, column = np.divmod(np.flatnonzero(kept), columns)  # `nonzero` of a matrix takes seven times as long
    order = np.lexsort((tie_order[column], -score[row, column], row))
    return column[order][ragged.positions(ragged.from_lengths(count)) < k].reshape(rows, k)


def _lower_bounds(score: np.ndarray, k: int) -> np.ndarray:
    """Return a value per row that at least k of its scores reach, [rows, 1]."""
    rows, columns = score.shape
    width = min(_BLOCK, columns // (_BLOCKS * k))
    if width < 2:
        return np.partition(score, columns - k, axis=1)[:, columns - k, None]
    blocks = columns // width
    largest = score[:, : blocks * width].reshape(rows, blocks, width).max(axis=2)
    return np.partition(largest, blocks - k, axis=1)[:, blocks - k, None]


def _exactly_kept(score: np.ndarray, k: int, bound: float, tie_order: np.ndarray) -> np.ndarray:
    """bool [columns]: the k best scores of one row, at least k of which reach `bound`; ties are broken by tie order."""
    above = np.flatnonzero(score > bound)
    if len(above) >= k:
        bound = np.partition(score[above], len(above) - k)[len(above) - k]
    kept = score > bound
    tied = np.flatnonzero(score == bound)
    places = k - np.count_nonzero(kept)
    kept[tied[np.argpartition(tie_order[tied], places - 1)[:places]]] = True
    return kept


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
