"""Positive events and request histories as sparse user × item matrices, and products of matrices."""

from __future__ import annotations

from typing import Any

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.scorers import recency
from interestrec.scorers.requests import Events, Requests


def one_blas_thread() -> Any:
    """Context in which matrix products and factorisations run on one thread.

    Sums over several threads differ from run to run and from machine to machine.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def event_matrix(events: Events) -> sparse.csr_matrix:
    """float32 [users, items]: how often each user had each item."""
    return _counts(events.user, events.item, (events.n_users, events.n_items))


def history_matrix(requests: Requests, positive: np.ndarray, n_items: int) -> sparse.csr_matrix:
    """float32 [requests, items]: how often each request's history holds each item.

    Args:
        positive: bool [len(requests.item)], the history rows that count.
    """
    row = requests.owner
    return _counts(row[positive], requests.item[positive], (len(requests), n_items))


def event_recency_matrix(events: Events, half_life: float | None) -> sparse.csr_matrix:
    """float64 [users, items]: the recency of the latest event of each pair, which is 1 without a half-life.

    Args:
        half_life: days, or None.
    """
    weight = recency.event_recency(events, half_life)
    return _highest(events.user, events.item, weight, (events.n_users, events.n_items))


def history_recency_matrix(
    requests: Requests, relevant_from: float, n_items: int, half_life: float | None
) -> sparse.csr_matrix:
    """float64 [requests, items]: the same for the items of each request's history.

    Args:
        relevant_from: least intensity of a history entry that counts.
    """
    positive = requests.intensity >= relevant_from
    row = requests.owner
    weight = recency.history_recency(requests, half_life)
    return _highest(row[positive], requests.item[positive], weight[positive], (len(requests), n_items))


def sparse_dots(left: sparse.csr_matrix, row: np.ndarray, right: sparse.csr_matrix, other: np.ndarray) -> np.ndarray:
    """left[row[n]] · right[other[n]] of every pair n; float32 [pairs].

    A candidate costs as much as its own row and the request's have entries, not as the catalogue has items.
    """
    return np.asarray(left[row].multiply(right[other]).sum(axis=1), dtype=np.float32).ravel()


def mixed_dots(left: sparse.csr_matrix, row: np.ndarray, right: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same with a dense `right`, of which only what `left` has entries for is looked at."""
    entries = left[row]
    count = np.diff(entries.indptr)
    products = entries.data * right[ragged.repeat(entries.indptr, other), entries.indices]
    total = np.zeros(len(row), np.float32)
    some = count > 0
    total[some] = np.add.reduceat(products, entries.indptr[:-1][some]) if some.any() else 0.0
    return total


def item_dots(
    users: np.ndarray, offsets: np.ndarray, factors: np.ndarray, fitted_items: np.ndarray, item: np.ndarray
) -> np.ndarray:
    """users[request] · factors[position of the candidate among the fitted items], 0 for others; float32 [len(item)].

    Args:
        users: float [requests, factors].
        factors: float [fitted items, factors].
        fitted_items: int64 [fitted items], numbers in the corpus, ascending.
    """
    score = np.zeros(len(item), np.float32)
    position, fitted = item_positions(fitted_items, item)
    score[fitted] = np.einsum("nf,nf->n", users[ragged.owner(offsets)[fitted]], factors[position[fitted]])
    return score


def item_positions(fitted_items: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position of each item among the fitted ones, int64, and whether it is one of them, bool; both [len(item)]."""
    if len(fitted_items) == 0:
        return np.zeros(len(item), np.int64), np.zeros(len(item), dtype=bool)
    position = np.minimum(np.searchsorted(fitted_items, item), len(fitted_items) - 1)
    return position, fitted_items[position] == item


def _counts(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    cell, count = np.unique(row.astype(np.int64) * shape[1] + column, return_counts=True)
    pointer = np.searchsorted(cell, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
    return sparse.csr_matrix((count.astype(np.float32), (cell % shape[1]).astype(np.int32), pointer), shape=shape)


def _highest(row: np.ndarray, column: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    cell = row.astype(np.int64) * shape[1] + column
    order = np.argsort(cell, kind="stable")
    cell, first = np.unique(cell[order], return_index=True)
    value = np.maximum.reduceat(weight[order], first) if len(first) else weight
    pointer = np.searchsorted(cell, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
    return sparse.csr_matrix((value, (cell % shape[1]).astype(np.int32), pointer), shape=shape)
