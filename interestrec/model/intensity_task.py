"""The task of graded labels in [0, 1]."""

from __future__ import annotations

from typing import Any

from interestrec.core.deferred_import import np
from interestrec.metrics.calibration import LogitCalibration
from interestrec.metrics.calibrations import calibrate
from interestrec.model.backend import tf
from interestrec.model.task_kind import Parameters, TaskKind, require_labels_from


def graded_values(scores: tf.Tensor, labels: tf.Tensor, thresholds: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Cross-entropy against y in [0, 1]: -y log σ(s) - (1 - y) log(1 - σ(s)), least at σ(s) = y."""
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=scores)


def graded_fit(labels: np.ndarray) -> dict[str, Any]:
    """Return no parameters; labels must lie in [0, 1]."""
    require_labels_from(labels, 0.0, "within 0 to 1; use the kind rating, count or duration", 1.0)
    return {}


def graded_start(mean: float, parameters: Parameters) -> float:
    """Return the logit of the mean."""
    share = min(max(mean, 1e-6), 1 - 1e-6)
    return float(np.log(share / (1 - share)))


def graded_calibration(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, parameters: Parameters, name: str
) -> dict[str, Any]:
    """Return the calibration of logits that `finetune.calibration` names."""
    return calibrate(name, scores, labels, weights).values()


def graded_log_expected(scores: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return log σ(scale · s + shift), or the logarithm of the isotonic map."""
    if "logits" in parameters:
        return np.log(LogitCalibration.of(parameters)(scores))
    x = scores * np.float32(parameters.get("scale", 1.0)) + np.float32(parameters.get("shift", 0.0))
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


INTENSITY_TASK = TaskKind(
    graded_values,
    graded_fit,
    graded_start,
    graded_calibration,
    graded_log_expected,
    ("rmse", "mae", "spearman", "ece"),
    "labels between 0 and 1, by cross-entropy",
    label="intensity",
)
