"""How near predicted intensities come to the labels: per-row losses whose means are the metrics."""

from collections.abc import Callable

import numpy as np

EPSILON = 1e-7  # a prediction of exactly 0 or 1 would make one wrong row cost infinitely much

Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]


def squared_error(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(predicted − label)², float64 [rows]; the root of its mean is `rmse`."""
    return (predicted.astype(np.float64) - label.astype(np.float64)) ** 2


def cross_entropy(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """−y log p − (1 − y) log(1 − p) for graded y in [0, 1], float64 [rows]; its mean is `logloss`."""
    y = label.astype(np.float64)
    p = np.clip(predicted.astype(np.float64), EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def identity(mean: np.ndarray) -> np.ndarray:
    """The metric is the mean loss itself."""
    return mean


# metric -> loss of a row, and what turns the mean loss into the metric
METRICS: dict[str, tuple[Loss, Callable[[np.ndarray], np.ndarray]]] = {
    "rmse": (squared_error, np.sqrt),
    "logloss": (cross_entropy, identity),
}
