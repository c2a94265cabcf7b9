"""The interface of kinds of tasks: what a task's score means, what it loses, and how it is calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from interestrec.core.deferred_import import np
from interestrec.model.backend import tf

Parameters = Mapping[str, Any]  # fitted on train labels, then the calibration; JSON values


def no_thresholds(parameters: Parameters, labels: np.ndarray) -> np.ndarray:
    """Return the start of the thresholds of a kind that has none, float32 [0]."""
    return np.zeros(0, np.float32)


def no_task_names(name: str, events: list[str]) -> dict[str, str]:
    """Return the tasks that a kind stands for, name -> label expression; none of a kind that is one task."""
    return {}


class TaskKind(NamedTuple):
    """A kind of task; its entry in TASKS is all that training, ranking and evaluation know of it."""

    # Loss per candidate, not negative, float32 of the shape of scores; of scores, labels (finite), thresholds, and the
    # parameters.
    values: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, Parameters], tf.Tensor]
    # Parameters of finite train labels, float [n], as JSON values; raises a ValueError that says what is wrong with
    # them.
    fit: Callable[[np.ndarray], dict[str, Any]]
    # The score at which a model begins, of the mean of finite train labels and the parameters.
    start: Callable[[float, Parameters], float]
    # Calibration, of scores, labels and weights, float [n] each, as JSON values that are added to the parameters; the
    # name is one of CALIBRATIONS.
    calibrate: Callable[[np.ndarray, np.ndarray, np.ndarray, Parameters, str], dict[str, Any]]
    # Logarithm of the expected label, float32 of the shape of scores; of scores and parameters with calibration.
    log_expected: Callable[[np.ndarray, Parameters], np.ndarray]
    metrics: tuple[str, ...]  # of TASK_METRICS
    summary: str  # what it predicts and what it is for
    label: str | None = None  # label expression if the settings have none
    takes_negatives: bool = False  # whether sampled negatives may count as label 0
    thresholds: Callable[[Parameters, np.ndarray], np.ndarray] = no_thresholds  # start of its weights, of train labels
    tasks: Callable[[str, list[str]], dict[str, str]] = no_task_names  # of the task's name and its event types


def require_labels_from(labels: np.ndarray, low: float, phrase: str, high: float = math.inf) -> None:
    """Check the range of labels.

    Raises:
        ValueError: a label lies outside.
    """
    outside = labels[(labels < low) | (labels > high)]
    if len(outside):
        raise ValueError(
            f"{len(outside):,} of {len(labels):,} labels of train are not {phrase}, such as {outside[0]:g}"
        )
