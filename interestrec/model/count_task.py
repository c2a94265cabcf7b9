"""The task of counts and amounts, such as plays: a Poisson likelihood."""

from __future__ import annotations

from typing import Any

from interestrec.core.deferred_import import np
from interestrec.model.backend import tf
from interestrec.model.task_kind import Parameters, TaskKind, require_labels_from

_HIGHEST = 15.0  # score above which the rate no longer grows, against overflow


def count_values(scores: tf.Tensor, labels: tf.Tensor, thresholds: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Half the Poisson deviance in units of the train mean: exp(s) - y - y (s - log y), y = label / mean.

    The minimum over s is at exp(s) = y, for amounts that are no whole numbers too. Dividing by the mean divides the
    loss by it, so that a task of thousands of plays does not drown the others.
    """
    y = labels / parameters["mean"]
    s = tf.minimum(scores, _HIGHEST)
    return tf.exp(s) - y - tf.math.multiply_no_nan(s - tf.math.log(tf.maximum(y, 1e-30)), y)


def count_fit(labels: np.ndarray) -> dict[str, Any]:
    """Return the mean of the labels as `mean`."""
    require_labels_from(labels, 0.0, "0 or more")
    mean = float(labels.astype(np.float64).mean())
    if mean <= 0:
        raise ValueError("all labels of train are 0")
    return {"mean": mean}


def count_start(mean: float, parameters: Parameters) -> float:
    """Return the logarithm of the mean in units of the train mean."""
    return float(np.log(max(mean, 1e-12) / parameters["mean"]))


def count_calibration(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, parameters: Parameters, name: str
) -> dict[str, Any]:
    """Return scale and shift of the score by the Poisson likelihood."""
    from scipy.optimize import minimize

    x, y = np.minimum(scores.astype(np.float64), _HIGHEST), labels.astype(np.float64) / parameters["mean"]

    def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
        z = found[0] * x + found[1]
        rate = np.exp(np.minimum(z, 50.0))
        error = rate - y
        return float((rate - y * z).mean()), np.array([(error * x).mean(), error.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-3, 10.0), (-20.0, 20.0)])
    return {"scale": float(found.x[0]), "shift": float(found.x[1])}


def count_log_expected(scores: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return log(mean) + scale · s + shift."""
    x = np.minimum(scores, np.float32(_HIGHEST)) * np.float32(parameters.get("scale", 1.0))
    return x + np.float32(parameters.get("shift", 0.0) + np.log(parameters["mean"]))


COUNT = TaskKind(
    count_values,
    count_fit,
    count_start,
    count_calibration,
    count_log_expected,
    ("rmse", "mae", "spearman", "ece"),
    "counts and amounts from 0, such as plays, by the Poisson likelihood",
    label="value",
)
