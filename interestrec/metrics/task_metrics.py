"""Metrics of the predictions of tasks under weights of rows, so that users can be resampled.

A metric is made once of labels and predictions, and then gives its value for any weights of the rows: a user who is
drawn twice has rows of weight two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from interestrec.core.deferred_import import np
from interestrec.metrics.intensity_errors import absolute_error, cross_entropy, equal_mass_bins, squared_error

Weighted = Callable[[np.ndarray], float]  # of weights, float64 [rows]


@dataclass(frozen=True)
class TaskRows:
    """Predictions of one task with their labels."""

    user: np.ndarray  # int64 [rows], below the number of users
    label: np.ndarray  # float64 [rows]
    predicted: np.ndarray  # float64 [rows], in the units of the label
    weight: np.ndarray  # float64 [rows], 1 for events, one over their rate for sampled negatives


def rmse(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Root of the mean squared error."""
    errors = squared_error(label, predicted)
    return lambda weight: float(np.sqrt(_mean(errors, weight)))


def mae(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Mean absolute error."""
    errors = absolute_error(label, predicted)
    return lambda weight: _mean(errors, weight)


def logloss(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Mean cross-entropy of labels in [0, 1]."""
    errors = cross_entropy(label, predicted)
    return lambda weight: _mean(errors, weight)


def ece(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Expected calibration error: |mean prediction - mean label| over equal-mass bins, in units of labels."""
    bins = equal_mass_bins(predicted)
    differences = predicted - label

    def value(weight: np.ndarray) -> float:
        total = float(weight.sum())
        return float(np.abs(np.bincount(bins, differences * weight)).sum() / total) if total > 0 else float("nan")

    return value


def auc(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Probability that a row with label 1 is predicted above one with label 0, ties half, over all rows."""
    order = np.argsort(predicted, kind="stable")
    ties, positive = _groups(predicted[order]), label[order] > 0

    def value(weight: np.ndarray) -> float:
        ordered = weight[order]
        positives = np.bincount(ties, np.where(positive, ordered, 0.0))
        negatives = np.bincount(ties, np.where(positive, 0.0, ordered))
        below = np.cumsum(negatives) - negatives / 2
        pairs = float(positives.sum() * negatives.sum())
        return float((positives * below).sum() / pairs) if pairs > 0 else float("nan")

    return value


def spearman(label: np.ndarray, predicted: np.ndarray) -> Weighted:
    """Spearman's rank correlation, with the mean of their ranks for equal values."""
    sides = []
    for values in (label, predicted):
        order = np.argsort(values, kind="stable")
        groups = np.empty(len(values), np.int64)
        groups[order] = _groups(values[order])
        sides.append(groups)

    def value(weight: np.ndarray) -> float:
        total = float(weight.sum())
        if total <= 0:
            return float("nan")
        centred = []
        for groups in sides:
            masses = np.bincount(groups, weight)
            rank = (np.cumsum(masses) - masses / 2)[groups]
            centred.append(rank - float((weight * rank).sum()) / total)
        x, y = centred
        spread = np.sqrt(float((weight * x * x).sum()) * float((weight * y * y).sum()))
        return float(np.clip((weight * x * y).sum() / spread, -1.0, 1.0)) if spread > 0 else float("nan")

    return value


TASK_METRICS: dict[str, Callable[[np.ndarray, np.ndarray], Weighted]] = {
    "auc": auc,
    "logloss": logloss,
    "rmse": rmse,
    "mae": mae,
    "spearman": spearman,
    "ece": ece,
}


def task_values(rows: TaskRows, metrics: Sequence[str]) -> dict[str, float]:
    """Return the values of metrics by name, NaN where they are not defined."""
    if not len(rows.label):
        return dict.fromkeys(metrics, float("nan"))
    return {name: TASK_METRICS[name](rows.label, rows.predicted)(rows.weight) for name in metrics}


def resampled_values(rows: TaskRows, metrics: Sequence[str], n_users: int, resamples: int, seed: int) -> np.ndarray:
    """Return metrics of draws of users with replacement, float64 [resamples, metrics].

    Calls with one seed and number of users draw the same users, so that differences of two models are paired.
    """
    made = [TASK_METRICS[name](rows.label, rows.predicted) for name in metrics]
    return np.array(
        [
            [metric(rows.weight * times[rows.user]) for metric in made]
            for times in _times_drawn(n_users, resamples, seed)
        ]
    ).reshape(resamples, len(metrics))


def _times_drawn(n_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, n_users, n_users), minlength=n_users).astype(np.float64)


def _mean(values: np.ndarray, weight: np.ndarray) -> float:
    total = float(weight.sum())
    return float((values * weight).sum() / total) if total > 0 else float("nan")


def _groups(ordered: np.ndarray) -> np.ndarray:
    """Return the number of each distinct value of an ordered array, int64 [rows]."""
    return np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]])[: len(ordered)])
