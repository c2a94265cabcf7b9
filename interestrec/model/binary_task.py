"""The task of yes or no: a click, a purchase."""

from __future__ import annotations

from typing import Any

from interestrec.core.deferred_import import np
from interestrec.model.intensity_task import graded_calibration, graded_log_expected, graded_start, graded_values
from interestrec.model.task_kind import TaskKind


def binary_fit(labels: np.ndarray) -> dict[str, Any]:
    """Return no parameters; labels must be 0 or 1."""
    other = labels[(labels != 0) & (labels != 1)]
    if len(other):
        raise ValueError(
            f"{len(other):,} of {len(labels):,} labels of train are neither 0 nor 1, such as {other[0]:g}; write a "
            "condition, such as value >= 4"
        )
    return {}


BINARY = TaskKind(
    graded_values,
    binary_fit,
    graded_start,
    graded_calibration,
    graded_log_expected,
    ("auc", "logloss", "ece"),
    "yes or no, such as a purchase, by cross-entropy",
    takes_negatives=True,
)
