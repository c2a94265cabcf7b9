"""Errors of predicted intensities against the labels.

A metric of `INTENSITY_ERRORS` is a loss per row, summed per user, and a transform of the mean; so users can be
resampled and swapped without the rows. `ece` sums the same way, with one column per bin. `spearman` is one figure of
all rows without an interval, because each resample would need new ranks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

EPSILON = 1e-7  # bounds predictions away from 0 and 1, where the cross-entropy of a wrong row is infinite
BINS = 15  # bins of ece

Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]
Transform = Callable[[np.ndarray], np.ndarray]


def squared_error(target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(predicted − target)², float64 [rows].

    The root of its mean against the label is `rmse`; its mean against the relevance, 0 or 1, is `brier` (Brier 1950):
    rmse measures the graded intensity, brier the probability of relevance.
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
    """Mean; float64 [..., 1] to [...]."""
    return mean[..., 0]


def square_root(mean: np.ndarray) -> np.ndarray:
    """Root of the mean; float64 [..., 1] to [...], rounding errors below 0 count as 0."""
    return np.sqrt(np.maximum(mean[..., 0], 0.0))


def absolute_sum(mean: np.ndarray) -> np.ndarray:
    """Sum of the absolute values of the parts; float64 [..., parts] to [...]."""
    return np.abs(mean).sum(axis=-1)


@dataclass(frozen=True)
class IntensityMetric:
    """A metric that is a transform of the mean loss over rows."""

    loss: Loss
    target: Literal["label", "relevance"] = "label"
    transform: Transform = identity


INTENSITY_ERRORS = {
    "rmse": IntensityMetric(squared_error, transform=square_root),
    "logloss": IntensityMetric(cross_entropy),
    "mae": IntensityMetric(absolute_error),
    "brier": IntensityMetric(squared_error, target="relevance"),
}
ECE, SPEARMAN = "ece", "spearman"  # not means over rows, see calibration_sums and spearman
INTENSITY_METRICS = (*INTENSITY_ERRORS, ECE, SPEARMAN)


def equal_mass_bins(predicted: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Bin of each prediction between quantiles of the predictions; int8 [rows].

    Equal predictions share a bin, so bins are equal in size only as far as ties allow.
    """
    if not len(predicted):
        return np.zeros(0, np.int8)
    ordered = np.sort(predicted)
    edges = np.unique(ordered[(np.arange(1, bins) * len(ordered)) // bins])
    return np.searchsorted(edges, predicted, side="right").astype(np.int8)


def calibration_sums(
    label: np.ndarray, predicted: np.ndarray, user: np.ndarray, n_users: int, bins: int = BINS
) -> np.ndarray:
    """Σ (predicted − label) per user and bin; float64 [users, bins].

    The expected calibration error (Naeini et al., AAAI 2015; equal-mass bins as in Nguyen and O'Connor, EMNLP 2015) is
    Σ_b |Σ_u sums[u, b]| / rows: the gap between mean prediction and mean label per bin, weighted by the bin's size. The
    target is the label, which the intensity predicts; labels of 0 and 1 are the relevance. The bins are those of all
    rows, also if users are resampled.

    Args:
        label, predicted: float [rows], without NaN.
        user: int [rows], below n_users.
    """
    cell = user.astype(np.int64) * bins + equal_mass_bins(predicted, bins)
    difference = predicted.astype(np.float64) - label
    return np.bincount(cell, difference, minlength=n_users * bins).reshape(n_users, bins)


def spearman(label: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman's rank correlation over all rows; tied values share the mean of their ranks.

    Args:
        label, predicted: float [rows], without NaN.

    Returns:
        A value in [−1, 1]; NaN if all labels or all predictions are equal.
    """
    x, y = _midranks(predicted), _midranks(label)
    x -= (len(x) + 1) / 2
    y -= (len(y) + 1) / 2
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    return float(np.clip((x * y).sum() / spread, -1.0, 1.0)) if spread > 0 else float("nan")


def _midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, with the mean rank for equal values; float64 [rows]."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    size = np.diff(np.append(first, len(ordered)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (size + 1) / 2, size)
    return ranks
