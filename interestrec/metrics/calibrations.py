"""The registry of calibrations: maps of logits to intensities, by the values of `finetune.calibration`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interestrec.core.deferred_import import np
from interestrec.metrics.calibration import LogitCalibration, isotonic, none, sigmoid, temperature

_FEWEST = 50  # labels below which nothing is fitted to logits


class Calibration(NamedTuple):
    """A calibration and what it does."""

    # On float [n] logits, labels in [0, 1], and weights, None if all weigh 1.
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray | None], LogitCalibration]
    summary: str


CALIBRATIONS = {
    "sigmoid": Calibration(sigmoid, "by scale and shift"),
    "temperature": Calibration(temperature, "by scale alone"),
    "isotonic": Calibration(isotonic, "by any rising steps, which needs many labels"),
    "none": Calibration(none, "as they are"),
}


def calibrate(name: str, logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitCalibration:
    """The named map of logits; the plain sigmoid when there are fewer than 50 labels or all are equal.

    Args:
        name: of CALIBRATIONS.
        logits: float [n].
        labels: float [n] in [0, 1].
        weights: float [n]; None: all weigh 1.
    """
    if len(labels) < _FEWEST or np.ptp(labels) == 0:
        return LogitCalibration()
    return CALIBRATIONS[name].fit(logits, labels, weights)
