"""How near predicted intensities come to the labels.

A metric of `INTENSITY_ERRORS` is a loss of each row, summed by user, and a transform of the mean: users can be
resampled and swapped without looking at rows again. `ece` sums the same way, with one column per bin. `spearman` is one
figure of all rows and has no interval: its ranks would have to be taken again in every resample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

EPSILON = 1e-7  # a prediction of exactly 0 or 1 would make one wrong row cost infinitely much
BINS = 15  # of ece

Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]
Transform = Callable[[np.ndarray], np.ndarray]


def squared_error(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(predicted − target)², float64 [rows].

    The root of its mean against the label is `rmse`; its mean against the relevance, 0 or 1, is `brier` (Brier 1950):
    rmse asks for the graded intensity itself, brier for the probability of being relevant.
    """
    return (predicted.astype(np.float64) - target.astype(np.float64)) ** 2


def absolute_error(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """|predicted − target|, float64 [rows]; its mean against the label is `mae`."""
    return np.abs(predicted.astype(np.float64) - target.astype(np.float64))


def cross_entropy(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """−y log p − (1 − y) log(1 − p) for graded y in [0, 1], float64 [rows]; its mean is `logloss`."""
    y = target.astype(np.float64)
    p = np.clip(predicted.astype(np.float64), EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def identity(mean: np.ndarray) -> np.ndarray:
    """The metric is the mean itself: float64 [..., 1] to [...]."""
    return mean[..., 0]


def rooted(mean: np.ndarray) -> np.ndarray:
    """The metric is the root of the mean: float64 [..., 1] to [...]; rounding below 0 is 0."""
    return np.sqrt(np.maximum(mean[..., 0], 0.0))


def summed_size(mean: np.ndarray) -> np.ndarray:
    """The metric is the sum of the parts' sizes: float64 [..., parts] to [...]."""
    return np.abs(mean).sum(axis=-1)


@dataclass(frozen=True)
class IntensityMetric:
    """A metric that is a transform of the mean over rows."""

    loss: Loss
    against: Literal["label", "relevance"] = "label"
    transform: Transform = identity


INTENSITY_ERRORS = {
    "rmse": IntensityMetric(squared_error, transform=rooted),
    "logloss": IntensityMetric(cross_entropy),
    "mae": IntensityMetric(absolute_error),
    "brier": IntensityMetric(squared_error, against="relevance"),
}
ECE, SPEARMAN = "ece", "spearman"  # not means over rows: see calibration_sums and spearman
INTENSITY_METRICS = (*INTENSITY_ERRORS, ECE, SPEARMAN)


def equal_mass_bins(predicted: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of each prediction, int8 [rows]: between quantiles of the predictions, as near to equal in size as ties,
    which stay together, allow."""
    if not len(predicted):
        return np.zeros(0, np.int8)
    ordered = np.sort(predicted)
    edges = np.unique(ordered[(np.arange(1, bins) * len(ordered)) // bins])
    return np.searchsorted(edges, predicted, side="right").astype(np.int8)


def calibration_sums(
    label: np.ndarray, predicted: np.ndarray, user: np.ndarray, n_users: int, bins: int = BINS
) -> np.ndarray:
    """Σ (predicted − label) a user and bin, float64 [users, bins].

    Expected calibration error (Naeini et al., AAAI 2015; equal-mass bins as in Nguyen and O'Connor, EMNLP 2015) is
    Σ_b |Σ_u sums[u, b]| / rows: the gap between mean prediction and mean label of each bin, weighed by its size. It is
    taken against the label, since that is what the intensity predicts; where labels are 0 and 1 they are the relevance.
    The bins are those of all rows also where users are resampled.

    Args:
        label, predicted: float [rows], without NaN.
        user: int [rows], below n_users.
    """
    cell = user.astype(np.int64) * bins + equal_mass_bins(predicted, bins)
    difference = predicted.astype(np.float64) - label
    return np.bincount(cell, difference, minlength=n_users * bins).reshape(n_users, bins)


def spearman(label: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman's rank correlation over all rows, tied values sharing the mean of their ranks.

    Args:
        label, predicted: float [rows], without NaN.

    Returns:
        In [−1, 1]; NaN where either has no two different values.
    """
    x, y = _midranks(predicted), _midranks(label)
    x -= (len(x) + 1) / 2
    y -= (len(y) + 1) / 2
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    return float(np.clip((x * y).sum() / spread, -1.0, 1.0)) if spread > 0 else float("nan")


def _midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, the mean rank where values are equal; float64 [rows]."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    size = np.diff(np.append(first, len(ordered)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (size + 1) / 2, size)
    return ranks
