"""Blend: standardises component scores within a request and fits their non-negative weights."""

from collections.abc import Callable

import numpy as np

from interestrec.core import ragged

_RIDGE = 1e-3  # on the weights; makes the solution unique for collinear components


def standardise_lists(score: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Scale scores to zero mean and unit deviation within each list; 0 if all scores of a list are equal.

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
    """Scale each row of a matrix by the mean and deviation of the columns `over`; 0 if all its scores are equal.

    Args:
        score: float [requests, items].
        over: bool [items], at least one; items of train and valid, so that further items of the catalogue do not
            change the scale.
    """
    known = score[:, over].astype(np.float64)
    mean, deviation = known.mean(axis=1, keepdims=True), known.std(axis=1, keepdims=True)
    centred = score - mean
    return np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > _flat(score))


def has_both_classes(offsets: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """bool [lists]: the list has relevant and irrelevant rows; other lists do not inform the weights."""
    size = np.diff(offsets)
    positives = np.bincount(ragged.owner(offsets)[relevant], minlength=len(size))
    return (positives > 0) & (positives < size)


def fit_weights(features: np.ndarray, offsets: np.ndarray, relevant: np.ndarray, free: int = 0) -> np.ndarray:
    """Fit non-negative weights by conditional logit (McFadden 1974); float64 [columns].

    Minimises the mean over relevant rows of −log softmax(features · weights) within their list. Lists of one class do
    not inform the weights and are omitted; if no list remains, all bounded columns have equal weights.

    Args:
        features: float [rows, columns], standardised.
        offsets: int64 [lists + 1].
        relevant: bool [rows].
        free: number of last columns whose weights are unbounded.
    """
    from scipy.optimize import minimize  # local, because the import is slow and an up-to-date run does not need it

    bounded = features.shape[1] - free
    equal = np.append(np.full(bounded, 1.0 / bounded), np.zeros(free))
    is_informative = has_both_classes(offsets, relevant)
    if not is_informative.any():
        return equal
    rows = ragged.repeat(offsets, is_informative)
    loss = _negative_log_likelihood(features[rows], np.diff(offsets)[is_informative], relevant[rows])
    bounds = [(0.0, None)] * bounded + [(None, None)] * free
    optimum = minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=bounds)
    # If every component misleads, the optimum is 0, which would rank at random; equal weights replace it.
    return optimum.x if optimum.x[:bounded].any() else equal


def list_losses(score: np.ndarray, offsets: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Mean of −log softmax(score) over the relevant rows of each list; float64 [lists], NaN without relevant rows."""
    size, owner = np.diff(offsets), ragged.owner(offsets)
    utility = score - np.maximum.reduceat(score, offsets[:-1])[owner]
    normaliser = np.log(np.add.reduceat(np.exp(utility), offsets[:-1]))
    positives = np.bincount(owner[relevant], minlength=len(size))
    total = np.bincount(owner[relevant], utility[relevant], minlength=len(size))
    return normaliser - np.divide(total, positives, out=np.full(len(size), np.nan), where=positives > 0)


def _negative_log_likelihood(
    features: np.ndarray, size: np.ndarray, relevant: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return a function of the weights that returns the objective and its gradient."""
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
    """Deviations below this threshold are rounding errors."""
    return 1e-6 * float(np.abs(score).max(initial=0.0))
