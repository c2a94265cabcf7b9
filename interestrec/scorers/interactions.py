"""Interaction matrices: weighted events and request histories as sparse matrices, and products of them."""

from __future__ import annotations

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.row_products import pair_dots
from interestrec.scorers import recency
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.random import mix_hashes
from interestrec.scorers.requests import Events, Requests

_DENSE = 1 << 23  # cells of a dense form
_LEAST_SHARE = 0.02  # of cells with an entry, from which the dense form is faster


def event_matrix(events: Events, weight: np.ndarray) -> sparse.csr_matrix:
    """float32 [users with events, items]: total weight of the events per user and item; rows as in _users_by_content.

    Args:
        weight: float64 [events], above 0.
    """
    shape = (events.n_users, events.n_items)
    return _users_by_content(_totals(events.user, events.item, weight, shape))[0]


def history_matrix(requests: Requests, event_weights: EventWeights, n_items: int) -> sparse.csr_matrix:
    """float32 [requests, items]: total weight of the history entries per request and item."""
    weight = event_weights.weigh(requests.intensity)
    kept = weight > 0
    return _totals(requests.owner[kept], requests.item[kept], weight[kept], (len(requests), n_items))


def event_recency_matrix(events: Events, weight: np.ndarray, half_life: float | None) -> sparse.csr_matrix:
    """float64 [users with events, items]: the highest product of weight and recency of a pair's events.

    The recency of all events is 1 without a half-life. The order of the rows is that of _users_by_content.

    Args:
        weight: float64 [events], above 0.
        half_life: days, or None.
    """
    return user_recencies(events, weight, half_life)[0]


def user_recencies(
    events: Events, weight: np.ndarray, half_life: float | None, latest: int | None = None
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return event_recency_matrix with ages relative to `latest`, and the users of its rows, int64 [rows]."""
    value = weight * recency.event_recency(events, half_life, latest)
    return _users_by_content(_highest(events.user, events.item, value, (events.n_users, events.n_items)))


def history_recency_matrix(
    requests: Requests, event_weights: EventWeights, n_items: int, half_life: float | None
) -> sparse.csr_matrix:
    """float64 [requests, items]: the highest product of weight and recency of an item's entries in a history.

    Args:
        half_life: days, or None.
    """
    weight = event_weights.weigh(requests.intensity)
    kept = weight > 0
    value = weight * recency.history_recency(requests, half_life)
    return _highest(requests.owner[kept], requests.item[kept], value[kept], (len(requests), n_items))


def sparse_dots(left: sparse.csr_matrix, row: np.ndarray, right: sparse.csr_matrix, other: np.ndarray) -> np.ndarray:
    """Return left[row[n]] · right[other[n]] for every pair n; float32 [pairs].

    The cost per pair is proportional to the entries of its two rows, not to the number of items.
    """
    return np.asarray(left[row].multiply(right[other]).sum(axis=1), dtype=np.float32).ravel()


def quick_form(matrix: sparse.csr_matrix) -> sparse.csr_matrix | np.ndarray:
    """Return a small matrix that is not very sparse as a dense one, otherwise the matrix itself.

    Sparse rows times either sum the same products in the same order, so that the bits are equal; with 1,682 items and
    150 entries per row, the dense form was twice as fast.
    """
    is_small = np.prod(matrix.shape, dtype=np.float64) <= _DENSE
    return matrix.toarray() if is_small and matrix.nnz >= _LEAST_SHARE * np.prod(matrix.shape) else matrix


def products(rows: sparse.csr_matrix, matrix: sparse.csr_matrix | np.ndarray) -> np.ndarray:
    """Return rows · matrix, float32 [rows, columns], from the `quick_form` of a matrix."""
    found = rows @ matrix
    return found if isinstance(found, np.ndarray) else found.toarray()


def mixed_dots(left: sparse.csr_matrix, row: np.ndarray, right: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return left[row[n]] · right[other[n]] for every pair n and a dense `right`; float32 [pairs].

    Only the columns in which the row of `left` has entries are read.
    """
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
    """Return the dot products of users and candidate items; float32 [len(item)], 0 for items that are not fitted.

    Args:
        users: float [requests, factors].
        factors: float [fitted items, factors].
        fitted_items: int64 [fitted items], corpus rows, ascending.
    """
    score = np.zeros(len(item), np.float32)
    position, fitted = item_positions(fitted_items, item)
    score[fitted] = pair_dots(users[ragged.owner(offsets)[fitted]], factors[position[fitted]])
    return score


def item_positions(fitted_items: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each item among the fitted items, int64, and whether it is fitted, bool; [len(item)]."""
    if len(fitted_items) == 0:
        return np.zeros(len(item), np.int64), np.zeros(len(item), dtype=bool)
    position = np.minimum(np.searchsorted(fitted_items, item), len(fitted_items) - 1)
    return position, fitted_items[position] == item


def _users_by_content(matrix: sparse.csr_matrix) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return the rows with entries, in an order that depends on their entries alone, and their numbers.

    Neither the names nor the order of the users then have an effect on random start values, on the order of samples or
    on the rounding of sums. Columns without entries have none either.
    """
    rows = np.flatnonzero(np.diff(matrix.indptr))
    column = np.unique(matrix.indices, return_inverse=True)[1].astype(np.uint64)
    entry = mix_hashes(mix_hashes(column, column), matrix.data.astype(np.float64).view(np.uint64))
    content = np.add.reduceat(entry, matrix.indptr[rows]) if len(rows) else entry
    rows = rows[np.argsort(content, kind="stable")]
    return matrix[rows], rows


def _totals(row: np.ndarray, column: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    cell, entry = np.unique(row.astype(np.int64) * shape[1] + column, return_inverse=True)
    total = np.bincount(entry, weight, minlength=len(cell)).astype(np.float32)
    pointer = np.searchsorted(cell, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
    return sparse.csr_matrix((total, (cell % shape[1]).astype(np.int32), pointer), shape=shape)


def _highest(row: np.ndarray, column: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    cell = row.astype(np.int64) * shape[1] + column
    order = np.argsort(cell, kind="stable")
    cell, first = np.unique(cell[order], return_index=True)
    value = np.maximum.reduceat(weight[order], first) if len(first) else weight
    pointer = np.searchsorted(cell, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
    return sparse.csr_matrix((value, (cell % shape[1]).astype(np.int32), pointer), shape=shape)
