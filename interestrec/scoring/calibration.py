"""From a system's score to an intensity in [0, 1], so that all systems answer the same question."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing piecewise linear map, constant outside the scores it was fitted on."""

    score: np.ndarray  # float64 [knots], ascending
    intensity: np.ndarray  # float64 [knots], non-decreasing, within [0, 1]

    def __call__(self, score: np.ndarray) -> np.ndarray:
        """float32, the shape of `score`."""
        return np.interp(score, self.score, self.intensity).astype(np.float32)


AS_IT_IS = Calibration(np.array([0.0, 1.0]), np.array([0.0, 1.0]))  # of scores that are intensities


def fit(score: np.ndarray, label: np.ndarray, otherwise: float) -> Calibration:
    """Isotonic regression of labels on scores; equal scores share one value.

    Args:
        score: float [rows].
        label: float [rows] in [0, 1], NaN where unknown.
        otherwise: the constant to predict when no label is known.
    """
    known = ~np.isnan(label)
    if not known.any():
        return Calibration(np.zeros(1), np.array([otherwise]))
    knots, place, count = np.unique(score[known].astype(np.float64), return_inverse=True, return_counts=True)
    mean = np.bincount(place, label[known].astype(np.float64)) / count
    fitted = isotonic_regression(mean, weights=count).x
    return Calibration(knots, np.clip(fitted, 0.0, 1.0))
