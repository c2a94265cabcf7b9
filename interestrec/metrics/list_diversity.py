"""Beyond-accuracy metrics of lists, which need no clicks: novelty, diversity, calibration, popularity, coverage.

Lists are flat: list i is `item[offsets[i]:offsets[i + 1]]`. Metrics per list are float64 [lists], NaN where the list or
its reference is empty.
"""

from __future__ import annotations

import numpy as np

from interestrec.core import ragged
from interestrec.core.deferred_import import sparse  # an unchanged run needs none of it

_PAIR_BLOCK = 1 << 20  # pairs of items per block
ALPHA = 0.01  # share of the history in the list's smoothed distribution; at 0 a missing category costs infinitely much


def novelty(offsets: np.ndarray, item: np.ndarray, item_users: np.ndarray, n_users: int) -> np.ndarray:
    """Mean −log2 of the share of users with each item, in bits (Zhou et al., PNAS 2010).

    An item without users counts as an item with one user.

    Args:
        item_users: int [items], users with an event of the item.
        n_users: number of all users.
    """
    return _mean(offsets, -np.log2(np.maximum(item_users, 1) / max(n_users, 1))[item])


def diversity(offsets: np.ndarray, item: np.ndarray, features: sparse.csr_array) -> np.ndarray:
    """Intra-list diversity: mean Jaccard distance of the feature sets of all pairs of items (Ziegler et al., WWW 2005).

    The distance of an item without features to any other item is 1. NaN for lists with fewer than two items.

    Args:
        features: zeros and ones [items, features].
    """
    owner, first, second = _pairs(offsets, item)
    n_items = features.shape[0]
    pair, pair_index = np.unique(np.minimum(first, second) * n_items + np.maximum(first, second), return_inverse=True)
    distance = np.ones(len(pair))
    size = np.diff(features.indptr)
    for start in range(0, len(pair), _PAIR_BLOCK):
        left, right = np.divmod(pair[start : start + _PAIR_BLOCK], n_items)
        shared = np.asarray(features[left].multiply(features[right]).sum(axis=1)).ravel()
        union = size[left] + size[right] - shared
        distance[start : start + _PAIR_BLOCK] -= np.divide(shared, union, out=np.zeros(len(left)), where=union > 0)
    counts = np.bincount(owner, minlength=len(offsets) - 1)
    return _divide(np.bincount(owner, distance[pair_index], minlength=len(offsets) - 1), counts)


def category_calibration(
    offsets: np.ndarray, item: np.ndarray, past_offsets: np.ndarray, past_item: np.ndarray, category: np.ndarray
) -> np.ndarray:
    """KL(p ‖ 0.99 q + 0.01 p) in nats for categories p of the history and q of the list (Steck, RecSys 2018).

    Both exclude items without a category. The value is 0 if the list has the category distribution of the history.

    Args:
        past_offsets, past_item: the history of each list.
        category: int [items], −1 for none.
    """
    n = int(category.max(initial=-1)) + 1
    past_cell, p = _shares(past_offsets, category[past_item], n)
    list_cell, q = _shares(offsets, category[item], n)
    in_list = np.zeros(len(p))
    position = np.searchsorted(list_cell, past_cell)
    match = position < len(list_cell)
    match[match] = list_cell[position[match]] == past_cell[match]
    in_list[match] = q[position[match]]
    owner = past_cell // max(n, 1)
    cost = np.bincount(owner, p * np.log(p / ((1 - ALPHA) * in_list + ALPHA * p)), minlength=len(offsets) - 1)
    known = np.zeros((2, len(offsets) - 1), dtype=bool)
    known[0, owner] = known[1, list_cell // max(n, 1)] = True
    return np.where(known.all(axis=0), np.maximum(cost, 0.0), np.nan)


def popularity_lift(
    offsets: np.ndarray, item: np.ndarray, past_offsets: np.ndarray, past_item: np.ndarray, popularity: np.ndarray
) -> np.ndarray:
    """Mean popularity of the list over the mean popularity of the history, minus 1 (Abdollahpouri et al., RMSE 2019).

    Above 0 the list is more popular than the user's choices. The paper compares means of groups, this function each
    user. NaN where all items of the history have popularity 0.

    Args:
        popularity: float [items].
    """
    return _divide(_mean(offsets, popularity[item]), _mean(past_offsets, popularity[past_item])) - 1


def coverage(exposure: np.ndarray) -> float:
    """Share of items that appear in a list. `exposure` is int [items], the number of lists that contain each item."""
    return float((exposure > 0).mean()) if len(exposure) else float("nan")


def gini(exposure: np.ndarray) -> float:
    """Gini coefficient of the exposure over all items: 0 for equal exposure, towards 1 for exposure of few items.

    Σ (2i − n − 1) x_i / (n Σ x), x ascending; NaN if the total exposure is 0.
    """
    n, total = len(exposure), int(exposure.sum())
    if total == 0:
        return float("nan")
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(exposure)).sum() / (n * total))


def _pairs(offsets: np.ndarray, item: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Enumerate the pairs of rows within each list: the list and the two items of each pair."""
    begin = ragged.repeat(offsets, offsets[:-1])
    pairs, second = ragged.ranges(begin, np.arange(len(item)))  # each row with all rows of its list before it
    first = ragged.owner(pairs)
    return ragged.owner(offsets)[first], item[first], item[second]


def _shares(offsets: np.ndarray, code: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells list × n + code in ascending order, and the share of each code among the list's rows with a code."""
    owner = ragged.owner(offsets)[code >= 0]
    cell, counts = np.unique(owner * n + code[code >= 0], return_counts=True)
    total = np.bincount(owner, minlength=len(offsets) - 1)
    return cell, counts / total[cell // max(n, 1)]


def _mean(offsets: np.ndarray, value: np.ndarray) -> np.ndarray:
    length = np.diff(offsets)
    return _divide(np.bincount(ragged.owner(offsets), value, minlength=len(length)), length)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    positive = denominator > 0  # also False for NaN
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=positive)
