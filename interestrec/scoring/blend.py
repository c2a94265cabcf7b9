"""The decision: a non-negative sum of component scores, each standardised within its request."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

_RIDGE = 1e-3  # on the weights; decides between components that say the same


@dataclass(frozen=True)
class Fitted:
    """Weights of the components and what was seen while fitting them."""

    weights: np.ndarray  # float64 [components], ≥ 0
    lists: int  # lists that told something: relevant and other rows in one
    loss_equal: float  # mean negative log likelihood a relevant row with equal weights
    loss_fitted: float


def standardise_lists(score: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation within each list; 0 where a list's scores are all equal.

    Args:
        score: float [rows].
        offsets: int64 [lists + 1]; no list is empty.
    """
    size = np.diff(offsets)
    owner = np.repeat(np.arange(len(size)), size)
    centred = score.astype(np.float64)
    centred -= (np.bincount(owner, centred, minlength=len(size)) / size)[owner]
    deviation = np.sqrt(np.bincount(owner, centred**2, minlength=len(size)) / size)[owner]
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > _flat(score))


def standardise_rows(score: np.ndarray, over: np.ndarray) -> np.ndarray:
    """The same for a matrix, one request a row, with mean and deviation taken over some columns only.

    Args:
        score: float [requests, items].
        over: bool [items], at least one; items of train and valid, so that a catalogue with more items in it
            does not shift the scale.
    """
    known = score[:, over].astype(np.float64)
    mean, deviation = known.mean(axis=1, keepdims=True), known.std(axis=1, keepdims=True)
    centred = score - mean
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > _flat(score))


def fit_weights(features: np.ndarray, offsets: np.ndarray, relevant: np.ndarray) -> Fitted:
    """Non-negative weights by conditional logit (McFadden 1974).

    Minimises the mean over relevant rows of −log softmax(features · weights) within their list. Lists of one
    class say nothing and are left out; without any other list all components weigh the same.

    Args:
        features: float [rows, components], standardised.
        offsets: int64 [lists + 1].
        relevant: bool [rows].
    """
    size = np.diff(offsets)
    owner = np.repeat(np.arange(len(size)), size)
    positives = np.bincount(owner[relevant], minlength=len(size))
    tells = (positives > 0) & (positives < size)
    rows = tells[owner]
    equal = np.full(features.shape[1], 1.0 / features.shape[1])
    if not tells.any():
        return Fitted(equal, 0, float("nan"), float("nan"))
    loss = _negative_log_likelihood(features[rows], size[tells], relevant[rows])
    found = minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(equal))
    if not found.x.any():  # every component misleads: any positive weights do, but zeros would be chance
        return Fitted(equal, int(tells.sum()), loss(equal)[0], loss(equal)[0])
    return Fitted(found.x, int(tells.sum()), loss(equal)[0], float(found.fun))


def _negative_log_likelihood(
    features: np.ndarray, size: np.ndarray, relevant: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """The objective and its gradient as a function of the weights."""
    first = np.cumsum(size) - size
    owner = np.repeat(np.arange(len(size)), size)
    positives = np.add.reduceat(relevant.astype(np.float64), first)
    total = positives.sum()
    wanted = features[relevant].sum(axis=0, dtype=np.float64)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        utility = np.einsum("rc,c->r", features, weights)
        utility -= np.maximum.reduceat(utility, first)[owner]
        power = np.exp(utility)
        normaliser = np.add.reduceat(power, first)
        likelihood = utility[relevant].sum() - (positives * np.log(normaliser)).sum()
        expected = np.einsum("r,rc->c", power * (positives / normaliser)[owner], features)
        value = -likelihood / total + 0.5 * _RIDGE * (weights**2).sum()
        return float(value), (expected - wanted) / total + _RIDGE * weights

    return loss


def _flat(score: np.ndarray) -> float:
    """Deviations below this are rounding, not information."""
    return 1e-6 * float(np.abs(score).max(initial=0.0))
