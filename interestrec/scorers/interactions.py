"""Positive events and request histories as sparse user × item matrices."""

import numpy as np
from scipy import sparse

from interestrec.core import ragged
from interestrec.scorers import recency
from interestrec.scorers.requests import Events, Requests


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


def known_dots(
    users: np.ndarray, offsets: np.ndarray, factors: np.ndarray, known: np.ndarray, item: np.ndarray
) -> np.ndarray:
    """users[request] · factors[place of the candidate among `known`], 0 where it is not; float32 [len(item)].

    Args:
        users: float [requests, factors].
        factors: float [known items, factors].
        known: int64 [known items], ascending.
    """
    score = np.zeros(len(item), np.float32)
    place, there = matrix_places(known, item)
    score[there] = np.einsum("nf,nf->n", users[ragged.owner(offsets)[there]], factors[place[there]])
    return score


def matrix_places(known: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each item is among `known`, int64, and whether it is there, bool; both [len(item)]."""
    if len(known) == 0:
        return np.zeros(len(item), np.int64), np.zeros(len(item), dtype=bool)
    place = np.minimum(np.searchsorted(known, item), len(known) - 1)
    return place, known[place] == item


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
