"""The task of durations, such as reading time or hours of play: a log-normal likelihood."""

from __future__ import annotations

from typing import Any

from interestrec.core.deferred_import import np
from interestrec.model.backend import tf
from interestrec.model.task_kind import Parameters, TaskKind, require_labels_from


def duration_values(scores: tf.Tensor, labels: tf.Tensor, thresholds: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """½ (t - s)² of the standardised logarithm t = (log y - centre) / spread.

    It is the log-normal likelihood but for its variance, which the calibration fits and `weight: learned` learns.
    """
    t = (tf.math.log(tf.maximum(labels, 1e-12)) - parameters["centre"]) / parameters["spread"]
    return 0.5 * tf.square(t - scores)


def duration_fit(labels: np.ndarray) -> dict[str, Any]:
    """Return mean and standard deviation of the logarithm as `centre` and `spread`."""
    require_labels_from(
        labels, float(np.nextafter(np.float32(0), np.float32(1))), "above 0; add a condition, such as where value > 0"
    )
    logs = np.log(labels.astype(np.float64))
    spread = float(logs.std())
    if spread <= 0:
        raise ValueError("all labels of train are equal")
    return {"centre": float(logs.mean()), "spread": spread}


def duration_start(mean: float, parameters: Parameters) -> float:
    """Return 0, the mean of the standardised logarithm."""
    return 0.0


def duration_calibration(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, parameters: Parameters, name: str
) -> dict[str, Any]:
    """Return scale and shift of the score by least squares, and the deviation that remains as `residual`."""
    t = (np.log(np.maximum(labels.astype(np.float64), 1e-12)) - parameters["centre"]) / parameters["spread"]
    x = scores.astype(np.float64)
    variance = float(x.var())
    scale = max(float(((x - x.mean()) * (t - t.mean())).mean()) / variance, 1e-3) if variance > 0 else 1.0
    shift = float(t.mean() - scale * x.mean())
    return {"scale": scale, "shift": shift, "residual": float((t - scale * x - shift).std())}


def duration_log_expected(scores: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return centre + spread (scale · s + shift) + ½ (spread · residual)², the logarithm of the log-normal mean."""
    spread = parameters["spread"]
    constant = parameters["centre"] + spread * parameters.get("shift", 0.0)
    constant += 0.5 * (spread * parameters.get("residual", 1.0)) ** 2
    return scores * np.float32(spread * parameters.get("scale", 1.0)) + np.float32(constant)


DURATION = TaskKind(
    duration_values,
    duration_fit,
    duration_start,
    duration_calibration,
    duration_log_expected,
    ("rmse", "mae", "spearman", "ece"),
    "times above 0, such as seconds of reading, by the log-normal likelihood",
    label="value",
)
