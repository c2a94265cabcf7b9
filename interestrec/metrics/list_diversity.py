"""Beyond accuracy: what lists are like that nobody clicked on yet.

Lists are flat: list i is `item[offsets[i]:offsets[i + 1]]`. Metrics of a list are float64 [lists], NaN where the list
is empty or what it is held against is.
"""

import numpy as np
from scipy import sparse

from interestrec.core import ragged

_PAIRS = 1 << 20  # looked at together
ALPHA = 0.01  # share of the history in the list's distribution, without which a missing category costs infinitely much


def novelty(offsets: np.ndarray, item: np.ndarray, had: np.ndarray, n_users: int) -> np.ndarray:
    """Mean −log2 of the share of users who had each item, in bits (Zhou et al., PNAS 2010).

    An item that nobody had counts as one that a single user had.

    Args:
        had: int [items], users who had the item.
        n_users: all users.
    """
    return _mean(offsets, -np.log2(np.maximum(had, 1) / max(n_users, 1))[item])


def diversity(offsets: np.ndarray, item: np.ndarray, features: sparse.csr_array) -> np.ndarray:
    """Mean Jaccard distance between the feature sets of all pairs of a list's items (intra-list diversity, Ziegler
    et al., WWW 2005); items without features share nothing. NaN for lists of fewer than two items.

    Args:
        features: of zeros and ones [items, features].
    """
    owner, first, second = _pairs(offsets, item)
    n_items = features.shape[0]
    cell, place = np.unique(np.minimum(first, second) * n_items + np.maximum(first, second), return_inverse=True)
    distance = np.ones(len(cell))
    size = np.diff(features.indptr)
    for start in range(0, len(cell), _PAIRS):
        one, other = np.divmod(cell[start : start + _PAIRS], n_items)
        shared = np.asarray(features[one].multiply(features[other]).sum(axis=1)).ravel()
        either = size[one] + size[other] - shared
        distance[start : start + _PAIRS] -= np.divide(shared, either, out=np.zeros(len(one)), where=either > 0)
    counts = np.bincount(owner, minlength=len(offsets) - 1)
    return _over(np.bincount(owner, distance[place], minlength=len(offsets) - 1), counts)


def category_calibration(
    offsets: np.ndarray, item: np.ndarray, past_offsets: np.ndarray, past_item: np.ndarray, category: np.ndarray
) -> np.ndarray:
    """KL(p ‖ 0.99 q + 0.01 p) in nats, p the categories of the history and q those of the list (Steck, RecSys 2018).

    Items without a category are left out of both. 0 where the list has the history's mixture.

    Args:
        past_offsets, past_item: each list's history.
        category: int [items], −1 for none.
    """
    n = int(category.max(initial=-1)) + 1
    past_cell, p = _shares(past_offsets, category[past_item], n)
    list_cell, q = _shares(offsets, category[item], n)
    in_list = np.zeros(len(p))
    place = np.searchsorted(list_cell, past_cell)
    found = place < len(list_cell)
    found[found] = list_cell[place[found]] == past_cell[found]
    in_list[found] = q[place[found]]
    owner = past_cell // max(n, 1)
    cost = np.bincount(owner, p * np.log(p / ((1 - ALPHA) * in_list + ALPHA * p)), minlength=len(offsets) - 1)
    known = np.zeros((2, len(offsets) - 1), dtype=bool)
    known[0, owner] = known[1, list_cell // max(n, 1)] = True
    return np.where(known.all(axis=0), np.maximum(cost, 0.0), np.nan)


def popularity_lift(
    offsets: np.ndarray, item: np.ndarray, past_offsets: np.ndarray, past_item: np.ndarray, popularity: np.ndarray
) -> np.ndarray:
    """Mean popularity of the list over that of the history, minus 1 (Abdollahpouri et al., RMSE 2019).

    Above 0, the list is more popular than what the user chose. Their figure is of a group's means; this is of each
    user. NaN where nothing of the history has any popularity.

    Args:
        popularity: float [items].
    """
    return _over(_mean(offsets, popularity[item]), _mean(past_offsets, popularity[past_item])) - 1


def coverage(exposure: np.ndarray) -> float:
    """Share of items that any list holds. `exposure` is int [items], the number of lists that hold each."""
    return float((exposure > 0).mean()) if len(exposure) else float("nan")


def gini(exposure: np.ndarray) -> float:
    """Gini coefficient of the exposure over all items: 0 where all are shown alike, towards 1 where a few get it all.

    Σ (2i − n − 1) x_i / (n Σ x), x ascending; NaN without any exposure.
    """
    n, total = len(exposure), int(exposure.sum())
    if total == 0:
        return float("nan")
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(exposure)).sum() / (n * total))


def _pairs(offsets: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of rows of a list once: the list and the two items."""
    begin = ragged.repeat(offsets, offsets[:-1])
    pairs, second = ragged.ranges(begin, np.arange(len(item)))  # each row with all rows of its list before it
    first = ragged.owner(pairs)
    return ragged.owner(offsets)[first], item[first], item[second]


def _shares(offsets: np.ndarray, code: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes of each list and their shares among its rows with one: cells list × n + code, ascending."""
    owner = ragged.owner(offsets)[code >= 0]
    cell, counts = np.unique(owner * n + code[code >= 0], return_counts=True)
    total = np.bincount(owner, minlength=len(offsets) - 1)
    return cell, counts / total[cell // max(n, 1)]


def _mean(offsets: np.ndarray, value: np.ndarray) -> np.ndarray:
    length = np.diff(offsets)
    return _over(np.bincount(ragged.owner(offsets), value, minlength=len(length)), length)


def _over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    some = denominator > 0  # also leaves out NaN
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=some)
