"""Calibration: maps from scores to intensities in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interestrec.core.deferred_import import np

_KEPT = 1e-3  # share of the sigmoid in an isotonic map of logits


@dataclass(frozen=True)
class Isotonic:
    """A non-decreasing piecewise linear map, constant outside the range of the fitted scores."""

    score: np.ndarray  # float64 [knots], ascending
    intensity: np.ndarray  # float64 [knots], non-decreasing, within [0, 1]

    def __call__(self, score: np.ndarray) -> np.ndarray:
        """Map scores to intensities; float32 in the shape of `score`."""
        return np.interp(score, self.score, self.intensity).astype(np.float32)


@dataclass(frozen=True)
class LogitCalibration:
    """s(z) = σ(scale · z + shift); with knots 0.999 · knots(z) + 0.001 · s(z), which is strictly increasing."""

    scale: float = 1.0  # > 0
    shift: float = 0.0
    knots: Isotonic | None = None

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Map logits to intensities; float32 in the shape of `logits`.

        The computation is in place, because the logits of a whole catalogue take much memory.
        """
        intensity = logits * -np.float32(self.scale)
        intensity -= np.float32(self.shift)
        with np.errstate(over="ignore"):  # exp overflows to infinity, which gives intensity 0
            np.exp(intensity, out=intensity)
        intensity += 1.0
        np.reciprocal(intensity, out=intensity)
        if self.knots is None:
            return intensity
        return np.float32(1 - _KEPT) * self.knots(logits) + np.float32(_KEPT) * intensity

    def values(self) -> dict[str, Any]:
        """Return the parameters as JSON values."""
        parameters = {"scale": self.scale, "shift": self.shift}
        if self.knots is None:
            return parameters
        return {**parameters, "logits": self.knots.score.tolist(), "intensities": self.knots.intensity.tolist()}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> LogitCalibration:
        """Create the map from the JSON values of a `model` artifact."""
        knots = None
        if "logits" in values:
            knots = Isotonic(np.array(values["logits"], float), np.array(values["intensities"], float))
        return cls(values["scale"], values["shift"], knots)


def fit_isotonic(score: np.ndarray, label: np.ndarray, otherwise: float, weights: np.ndarray | None = None) -> Isotonic:
    """Fit the isotonic regression of labels on scores; equal scores share one value.

    Args:
        score: float [rows].
        label: float [rows] in [0, 1], NaN where unknown.
        otherwise: the constant prediction if no label is known.
        weights: float [rows]; None: all weigh 1.
    """
    from scipy.optimize import isotonic_regression  # here, as the configuration imports the calibrations' names

    known = ~np.isnan(label)
    if not known.any():
        return Isotonic(np.zeros(1), np.array([otherwise]))
    knots, place, count = np.unique(score[known].astype(np.float64), return_inverse=True, return_counts=True)
    labels = label[known].astype(np.float64)
    if weights is not None:
        count = np.bincount(place, weights[known])
        labels = labels * weights[known]
    mean = np.bincount(place, labels) / count
    fitted = isotonic_regression(mean, weights=count).x
    return Isotonic(knots, np.clip(fitted, 0.0, 1.0))


def sigmoid(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitCalibration:
    """Fit scale and shift of the logit by the cross-entropy against graded labels (Platt 1999)."""
    return _fitted(logits, labels, weights, shifted=True)


def temperature(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitCalibration:
    """Fit only the scale of the logit (Guo et al. 2017, "On calibration of modern neural networks")."""
    return _fitted(logits, labels, weights, shifted=False)


def isotonic(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitCalibration:
    """Fit a non-decreasing map (Zadrozny and Elkan 2002) on top of the sigmoid."""
    base = sigmoid(logits, labels, weights)
    return LogitCalibration(base.scale, base.shift, fit_isotonic(logits, labels, 0.0, weights))


def none(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitCalibration:
    """σ of the logit without calibration."""
    return LogitCalibration()


def _fitted(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, shifted: bool) -> LogitCalibration:
    from scipy.optimize import minimize
    from scipy.special import expit

    x, y = logits.astype(np.float64), labels.astype(np.float64)

    def mean(values: np.ndarray) -> float:
        return float(np.mean(values) if weights is None else np.average(values, weights=weights))

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * x + parameters[1]
        error = expit(z) - y
        value = mean(np.logaddexp(0.0, z) - y * z)
        return value, np.array([mean(error * x), mean(error)])

    bounds = [(1e-3, None), (None, None) if shifted else (0.0, 0.0)]
    found = minimize(objective, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return LogitCalibration(float(found.x[0]), float(found.x[1]))
