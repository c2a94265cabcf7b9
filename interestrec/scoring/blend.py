"""The decision's numerics: component scores standardised within a request, and a non-negative sum of them."""

from collections.abc import Callable

import numpy as np

from interestrec.core import ragged

_RIDGE = 1e-3  # on the weights; decides between components that say the same


def standardise_lists(score: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation within each list; 0 where a list's scores are all equal.

    Args:
        score: float [rows].
        offsets: int64 [lists + 1]; no list is empty.
    """
    size, owner = np.diff(offsets), ragged.owner(offsets)
    centred = score.astype(np.float64)
    centred -= (np.bincount(owner, centred, minlength=len(size)) / size)[owner]
    deviation = np.sqrt(np.bincount(owner, centred**2, minlength=len(size)) / size)[owner]
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > _flat(score))


def standardise_rows(score: np.ndarray, over: np.ndarray) -> np.ndarray:
    """The same for a matrix, one request per row, with mean and deviation taken over some columns only.

    Args:
        score: float [requests, items].
        over: bool [items], at least one; items of train and valid, so that a catalogue with more items in it
            does not shift the scale.
    """
    known = score[:, over].astype(np.float64)
    mean, deviation = known.mean(axis=1, keepdims=True), known.std(axis=1, keepdims=True)
    centred = score - mean
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > _flat(score))


def has_both_classes(offsets: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """bool [lists]: which lists have relevant and other rows; only these say something about weights."""
    size = np.diff(offsets)
    positives = np.bincount(ragged.owner(offsets)[relevant], minlength=len(size))
    return (positives > 0) & (positives < size)


def fit_weights(features: np.ndarray, offsets: np.ndarray, relevant: np.ndarray, free: int = 0) -> np.ndarray:
    """Non-negative weights by conditional logit (McFadden 1974); float64 [columns].

    Minimises the mean over relevant rows of −log softmax(features · weights) within their list. Lists of one
    class say nothing and are left out; without any other list all columns that are bounded weigh the same.

    Args:
        features: float [rows, columns], standardised.
        offsets: int64 [lists + 1].
        relevant: bool [rows].
        free: how many of the last columns may have a negative weight.
    """
    from scipy.optimize import minimize  # here, as it is slow to import and an unchanged run needs none

    bounded = features.shape[1] - free
    equal = np.append(np.full(bounded, 1.0 / bounded), np.zeros(free))
    is_informative = has_both_classes(offsets, relevant)
    if not is_informative.any():
        return equal
    rows = ragged.repeat(offsets, is_informative)
    loss = _negative_log_likelihood(features[rows], np.diff(offsets)[is_informative], relevant[rows])
    bounds = [(0.0, None)] * bounded + [(None, None)] * free
    optimum = minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=bounds)
    # Where every component misleads, any positive weights do, but zeros would be chance.
    return optimum.x if optimum.x[:bounded].any() else equal


def list_losses(score: np.ndarray, offsets: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Mean of −log softmax(score) over each list's relevant rows; float64 [lists], NaN for lists without any."""
    size, owner = np.diff(offsets), ragged.owner(offsets)
    utility = score - np.maximum.reduceat(score, offsets[:-1])[owner]
    normaliser = np.log(np.add.reduceat(np.exp(utility), offsets[:-1]))
    positives = np.bincount(owner[relevant], minlength=len(size))
    total = np.bincount(owner[relevant], utility[relevant], minlength=len(size))
    return normaliser - np.divide(total, positives, out=np.full(len(size), np.nan), where=positives > 0)


def _negative_log_likelihood(
    features: np.ndarray, size: np.ndarray, relevant: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """The objective and its gradient as a function of the weights."""
    offsets = ragged.from_lengths(size)
    first, owner = offsets[:-1], ragged.owner(offsets)
    positives = np.add.reduceat(relevant.astype(np.float64), first)
    total = positives.sum()
    observed = features[relevant].sum(axis=0, dtype=np.float64)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        utility = np.einsum("rc,c->r", features, weights)
        utility -= np.maximum.reduceat(utility, first)[owner]
        power = np.exp(utility)
        normaliser = np.add.reduceat(power, first)
        likelihood = utility[relevant].sum() - (positives * np.log(normaliser)).sum()
        expected = np.einsum("r,rc->c", power * (positives / normaliser)[owner], features)
        value = -likelihood / total + 0.5 * _RIDGE * (weights**2).sum()
        return float(value), (expected - observed) / total + _RIDGE * weights

    return loss


def _flat(score: np.ndarray) -> float:
    """Deviations below this are rounding, not information."""
    return 1e-6 * float(np.abs(score).max(initial=0.0))
