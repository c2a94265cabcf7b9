"""Objectives that blend weights are fitted by: non-negative weights of standardised components, from ranked lists."""

from collections.abc import Callable, Sequence

import numpy as np

from interestrec.core import ragged
from interestrec.core.choices import pick
from interestrec.scoring.blend_lists import BlendLists

_RIDGE = 1e-3  # on the weights; makes the solution unique for collinear components
_SMOOTH_RIDGE = 3e-5  # the same beside a smooth metric, which changes less with the weights
_LARGEST = 30.0  # weight of a component; smooth metrics have no other bound
_NEAREST = 50  # rows of a list, by the weights to start from, that compete for its first ranks


def fit_logit(lists: BlendLists, free: int = 0) -> np.ndarray:
    """Fit non-negative weights by conditional logit (McFadden 1974); float64 [columns].

    Minimises the weighted mean over relevant rows of −log softmax(features · weights) within their list. Lists of one
    class do not inform the weights and are omitted; if no list remains, all bounded columns have equal weights.

    Args:
        free: number of last columns whose weights are unbounded.
    """
    bounded = lists.features.shape[1] - free
    equal = np.append(np.full(bounded, 1.0 / bounded), np.zeros(free))
    told = lists.with_both_classes()
    if len(told) == 0:
        return equal
    bounds = [(0.0, _LARGEST)] * bounded + [(None, None)] * free
    found = _minimise(_negative_log_likelihood(told), equal, bounds)
    # If every component misleads, the optimum is 0, which would rank at random; equal weights replace it.
    return found if found[:bounded].any() else equal


def fit_smooth_ndcg(lists: BlendLists) -> np.ndarray:
    """Fit non-negative weights by a smooth nDCG (ApproxNDCG, Qin, Liu and Li 2010); float64 [columns].

    Maximises Σ 1/log2(1 + r) over the relevant rows of each list, over the best possible sum, where the rank
    r = 1/2 + Σ_j sigmoid(s_j − s_i) sums over the rows of the list. The sum has several maxima: the search starts at
    the weights of conditional logit and at equal ones. Only rows that the former rank among the first 50 compete.
    """
    return _fit_pairs(lists.with_both_classes(), _smooth_ndcg)


def fit_smooth_auc(lists: BlendLists) -> np.ndarray:
    """Fit non-negative weights by a smooth AUC (Yan et al. 2003); float64 [columns].

    Maximises the mean over lists of the mean of sigmoid(s_i − s_j) over pairs of a relevant row i and another row j.
    The search is that of `fit_smooth_ndcg`.
    """
    return _fit_pairs(lists.with_both_classes(), _smooth_auc)


# By the metric that choices are made by: the objective, with a name, that is closest to it.
SMOOTH_METRICS: dict[str, tuple[str, Callable[[BlendLists], np.ndarray]]] = {
    "ndcg@10": ("smooth ndcg", fit_smooth_ndcg),
    "auc": ("smooth auc", fit_smooth_auc),
}


def weight_objectives(metric: str) -> dict[str, Callable[[BlendLists], np.ndarray]]:
    """Return the objectives by name for choices by this metric.

    Raises:
        ConfigError: no objective is close to the metric.
    """
    name, smooth = pick(SMOOTH_METRICS, metric, "metric of the blend")
    return {"conditional logit": fit_logit, name: smooth}


Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]  # weights to loss and gradient


def _minimise(loss: Objective, start: np.ndarray, bounds: Sequence[tuple[float | None, float | None]]) -> np.ndarray:
    from scipy.optimize import minimize  # local, because the import is slow and an up-to-date run does not need it

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def _negative_log_likelihood(lists: BlendLists) -> Objective:
    features, offsets, relevant = lists.features.astype(np.float64), lists.offsets, lists.relevant
    first, owner = offsets[:-1], ragged.owner(offsets)
    positives = np.add.reduceat(relevant.astype(np.float64), first) * lists.weight
    of_row = lists.weight[owner]
    total = positives.sum()
    observed = (features[relevant] * of_row[relevant, None]).sum(axis=0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        utility = features @ weights
        utility -= np.maximum.reduceat(utility, first)[owner]
        power = np.exp(utility)
        normaliser = np.add.reduceat(power, first)
        likelihood = (utility * of_row)[relevant].sum() - (positives * np.log(normaliser)).sum()
        expected = (power * (positives / normaliser)[owner]) @ features
        value = -likelihood / total + 0.5 * _RIDGE * (weights**2).sum()
        return float(value), (expected - observed) / total + _RIDGE * weights

    return loss


PairLoss = Callable[[BlendLists, np.ndarray, np.ndarray], Objective]  # of lists, with pairs of rows


def _fit_pairs(told: BlendLists, make_loss: PairLoss) -> np.ndarray:
    start = fit_logit(told)
    if len(told) == 0:
        return start
    near = told.first_rows(told.features @ start, _NEAREST).with_both_classes()
    if len(near) == 0:
        return start
    chosen = np.flatnonzero(near.relevant)
    owner = ragged.owner(near.offsets)
    of_pair, other = ragged.take(near.offsets, owner[chosen])
    loss = make_loss(near, chosen[ragged.owner(of_pair)], other)
    bounds = [(0.0, _LARGEST)] * len(start)
    equal = np.full(len(start), start.sum() / len(start))
    found = min((_minimise(loss, begin, bounds) for begin in (start, equal)), key=lambda weights: loss(weights)[0])
    return found if found.any() else start


def _smooth_ndcg(lists: BlendLists, row: np.ndarray, other: np.ndarray) -> Objective:
    """Of pairs of a relevant row and each row of its list, itself included; pairs of a row stand together."""
    first = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    owner = ragged.owner(lists.offsets)[row[first]]
    count = np.bincount(owner, minlength=len(lists))
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, count.max() + 2)))[count - 1]
    scale = (lists.weight / ideal)[owner] / lists.weight.sum()
    difference = (lists.features[other] - lists.features[row]).astype(np.float32)
    sizes = np.diff(np.append(first, len(row)))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        ahead = _sigmoid(difference @ weights.astype(np.float32))
        rank = 0.5 + np.add.reduceat(ahead.astype(np.float64), first)
        logarithm = np.log2(1.0 + rank)
        slope = scale / (logarithm**2 * (1.0 + rank) * np.log(2.0))  # of the loss by the rank
        pull = np.repeat(slope, sizes).astype(np.float32) * ahead * (1 - ahead)
        gradient = (pull @ difference).astype(np.float64)
        value = -(scale / logarithm).sum() + 0.5 * _SMOOTH_RIDGE * (weights**2).sum()
        return float(value), gradient + _SMOOTH_RIDGE * weights

    return loss


def _smooth_auc(lists: BlendLists, row: np.ndarray, other: np.ndarray) -> Objective:
    kept = ~lists.relevant[other]
    row, other = row[kept], other[kept]
    owner = ragged.owner(lists.offsets)[row]
    scale = (lists.weight / np.bincount(owner, minlength=len(lists)))[owner] / lists.weight.sum()
    difference = (lists.features[other] - lists.features[row]).astype(np.float32)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        ahead = _sigmoid(difference @ weights.astype(np.float32))
        pull = scale.astype(np.float32) * ahead * (1 - ahead)
        value = (scale * ahead).sum() + 0.5 * _SMOOTH_RIDGE * (weights**2).sum()
        return float(value), (pull @ difference).astype(np.float64) + _SMOOTH_RIDGE * weights

    return loss


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0)))
