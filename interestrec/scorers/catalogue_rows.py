"""Scores of requests for the whole catalogue in the form that costs least: sparse entries, or a dense matrix.

Both forms give the same scores as `Scorer.score_catalogue`, bit for bit. A scorer that knows a score for few items of a
request has a method `catalogue_rows`; of the others the dense matrix is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import one_blas_thread, pair_dots
from interestrec.metrics.topk import top_k
from interestrec.scorers.permitted_items import Excluded, PermittedItems
from interestrec.scorers.requests import Requests, Scorer

_FLAT = 1e-6  # of the largest score of a request: deviations up to it are rounding errors
_CELLS = 1 << 16  # of a few rows that stay in the processor's cache while they are measured
_COPIED = 1 << 19  # cells of the rows that are cut together: more leave the cache, fewer cost calls


@dataclass(frozen=True)
class RowMoments:
    """Mean and deviation of the scores of requests over some items."""

    mean: np.ndarray  # float64 [requests]
    deviation: np.ndarray  # float64 [requests], infinite where all scores are equal

    def standardise(self, row: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Scale scores of requests `row` to zero mean and unit deviation; float64, 0 if all are equal."""
        return (score.astype(np.float64) - self.mean[row]) / self.deviation[row]


class CatalogueRows(Protocol):
    """The scores of requests for all items."""

    def best(self, k: int, permitted: PermittedItems, excluded: Excluded) -> np.ndarray:
        """Return the k best items of each request, best first; int64 [requests, k], −1 after the end of a list."""

    def at(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [pairs]: scores of items for requests, int64 [pairs] each."""

    def moments(self, over: np.ndarray) -> RowMoments:
        """Return mean and deviation over items, bool [items], at least one."""


@runtime_checkable
class GivesRows(Protocol):
    """A scorer that knows its scores in a form of fewer numbers than a dense matrix."""

    def catalogue_rows(self, requests: Requests) -> CatalogueRows:
        """Return the scores of all items."""


def catalogue_rows(scorer: Scorer, requests: Requests) -> CatalogueRows:
    """Return the scores of a scorer for all items, in its own form or as a dense matrix."""
    if isinstance(scorer, GivesRows):
        return scorer.catalogue_rows(requests)
    return DenseRows(scorer.score_catalogue(requests))


@dataclass(frozen=True)
class DenseRows:
    """A score for every pair."""

    score: np.ndarray  # float32 [requests, items]

    def best(self, k: int, permitted: PermittedItems, excluded: Excluded) -> np.ndarray:
        """See CatalogueRows."""
        lists, items = np.full((len(self.score), k), -1), len(permitted.items)
        columns, barred = np.flatnonzero(permitted.items), np.flatnonzero(~permitted.items)
        few = len(columns) <= len(barred)
        if not few:
            columns = np.arange(items)
        place = np.full(items, -1)
        place[columns] = np.arange(len(columns))
        owner, own, tie_order = excluded.owner, place[excluded.item], permitted.tie_order[columns]
        step = max(_COPIED // max(len(columns), 1), 1)
        for start in range(0, len(lists), step):
            score = self.score[start : start + step]
            if few:
                score = score.take(columns, axis=1)
            else:
                score = score.copy()
                score[:, barred] = -np.inf
            ends = excluded.offsets[start : start + step + 1]
            row, column = owner[ends[0] : ends[-1]] - start, own[ends[0] : ends[-1]]
            score[row[column >= 0], column[column >= 0]] = -np.inf
            top = top_k(score, k, tie_order)
            found = np.where(np.take_along_axis(score, top, axis=1) > -np.inf, columns[top], -1)
            lists[start : start + step, : top.shape[1]] = found
        return lists

    def at(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See CatalogueRows."""
        return self.score[row, item]

    @one_blas_thread()
    def moments(self, over: np.ndarray) -> RowMoments:
        """See CatalogueRows."""
        mean, deviation = np.empty(len(self.score)), np.empty(len(self.score))
        step = max(_CELLS // len(over), 1)
        for start in range(0, len(self.score), step):
            part = slice(start, start + step)
            _, mean[part], deviation[part] = centred_rows(self.score[part], over)
        return RowMoments(mean, deviation)


def centred_rows(score: np.ndarray, over: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores minus their mean, float64 [requests, items], their mean and deviation, float64 [requests] each.

    Mean and deviation are those of the columns `over`, bool [items]; the deviation of equal scores is infinite. The
    bits of a request do not depend on the other requests.
    """
    counted, count = over.astype(np.float64), np.count_nonzero(over)
    centred = np.array(score, np.float64, order="C")
    mean = pair_dots(centred, counted) / count
    centred -= mean[:, None]
    inside = centred if count == len(over) else centred * counted
    deviation = np.sqrt(pair_dots(inside, inside) / count)
    return centred, mean, _distinct(deviation, np.maximum(score.max(axis=1), -score.min(axis=1)))


def _distinct(deviation: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Return deviations, float64 [requests], infinite where they are rounding errors beside the largest score."""
    return np.where(deviation <= _FLAT * largest, np.inf, deviation)


@dataclass(frozen=True)
class SparseRows:
    """Scores entries[r, i] + weight[r] · shared[i]; what has no entry costs nothing of its own."""

    entries: sparse.csr_matrix  # float32 [requests, items], columns ascending, none twice
    shared: np.ndarray | None = None  # float32 [items]; None: 0
    weight: np.ndarray | None = None  # float32 [requests], ≥ 0; None: 1

    def best(self, k: int, permitted: PermittedItems, excluded: Excluded) -> np.ndarray:
        """See CatalogueRows."""
        lists = np.full((self.entries.shape[0], k), -1)
        taken, pointer = np.zeros(len(permitted.items), dtype=bool), self.entries.indptr
        item, score = self.entries.indices, self._with_shared(self._owner, self.entries.indices, self.entries.data)
        for row in range(len(lists)):
            part, own = slice(pointer[row], pointer[row + 1]), excluded.of(row)
            taken[own] = True
            kept = permitted.items[item[part]] & ~taken[item[part]]
            found = self._best_of_row(row, item[part][kept], score[part][kept], k, permitted, taken)
            lists[row, : len(found)] = found
            taken[own] = False
        return lists

    def _best_of_row(
        self, row: int, item: np.ndarray, score: np.ndarray, k: int, permitted: PermittedItems, taken: np.ndarray
    ) -> np.ndarray:
        """Return the best of the entries `item` and of the items without an entry that are not `taken`."""
        every = item
        if len(item) > k:
            kept = score >= np.partition(score, len(score) - k)[len(score) - k]
            item, score = item[kept], score[kept]
        weight = np.float32(1) if self.weight is None else self.weight[row]
        order, cost = permitted.order(self.shared if weight > 0 else None)
        if len(item) < k or (len(order) and score.min() <= -weight * cost[0]):
            taken[every] = True
            free = _first_free(order, cost, weight, taken, k)
            taken[every] = False
            item, score = np.append(item, order[free]), np.append(score, -weight * cost[free])
        return item[np.lexsort((permitted.tie_order[item], -score))[:k]]

    def at(self, row: np.ndarray, item: np.ndarray) -> np.ndarray:
        """See CatalogueRows."""
        if len(row) == 0:
            return np.zeros(0, np.float32)
        return self._with_shared(row, item, np.asarray(self.entries[row, item], np.float32).ravel())

    def moments(self, over: np.ndarray) -> RowMoments:
        """See CatalogueRows; of items without an entry by the sums of `shared`."""
        count, item, owner = np.count_nonzero(over), self.entries.indices, self._owner
        requests = self.entries.shape[0]
        weight = np.ones(requests) if self.weight is None else self.weight.astype(np.float64)
        shared = np.zeros(0) if self.shared is None else self.shared[over].astype(np.float64)
        score = self._with_shared(owner, item, self.entries.data).astype(np.float64)
        base = self._of_shared(owner, item).astype(np.float64)
        counted = over[item]
        mean = (weight * shared.sum() + np.bincount(owner, (score - base) * counted, minlength=requests)) / count
        change = ((score - mean[owner]) ** 2 - (base - mean[owner]) ** 2) * counted
        without = weight**2 * (shared**2).sum() - 2 * weight * mean * shared.sum() + count * mean**2
        squares = np.maximum(without + np.bincount(owner, change, minlength=requests), 0.0)
        largest, filled = weight * np.abs(shared).max(initial=0.0), np.flatnonzero(np.diff(self.entries.indptr))
        if len(filled):
            of_entries = np.maximum.reduceat(np.abs(score), self.entries.indptr[filled])
            largest[filled] = np.maximum(largest[filled], of_entries)
        return RowMoments(mean, _distinct(np.sqrt(squares / count), largest))

    @property
    def _owner(self) -> np.ndarray:
        return ragged.owner(self.entries.indptr)

    def _of_shared(self, row: int | np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]: weight · shared."""
        if self.shared is None:
            return np.zeros(len(item), np.float32)
        return self.shared[item] if self.weight is None else self.weight[row] * self.shared[item]

    def _with_shared(self, row: np.ndarray, item: np.ndarray, entry: np.ndarray) -> np.ndarray:
        return entry if self.shared is None else entry + self._of_shared(row, item)


def sorted_rows(entries: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return a product of sparse matrices with ascending columns."""
    entries.sort_indices()
    return entries


def _first_free(order: np.ndarray, cost: np.ndarray, weight: np.float32, taken: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the first k items of a pool that are not taken, bool [items].

    Where the weight makes different scores at the k-th place equal, all of these are returned: ties are broken by the
    tie order, in which the items of one score already are.

    Args:
        order: int64 [pool], items by `cost`.
        cost: float32 [pool], ascending.
    """
    stop = 2 * k
    while len(free := np.flatnonzero(~taken[order[:stop]])) < k and stop < len(order):
        stop *= 4
    if len(free) < k:
        return free
    last = cost[free[k - 1]]
    end = same = np.searchsorted(cost, last, side="right")
    while end < len(cost) and weight * cost[end] == weight * last:
        end = np.searchsorted(cost, cost[end], side="right")
    return free[:k] if end == same else np.flatnonzero(~taken[order[:end]])
