"""IntensityEstimate: the predicted intensity of the decision, a weighted sum of estimators."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_LEAST = 50  # minimum number of known labels; with fewer, the first estimator is used alone
CONSTANT = "constant"


@dataclass(frozen=True)
class IntensityEstimate:
    """Predicts constant + Σ_e w_e p_e with w ≥ 0, clipped to [0, 1]."""

    weights: Mapping[str, float]  # estimator -> weight; `constant` -> the added constant of any sign

    @property
    def estimators(self) -> list[str]:
        """Names of the estimators."""
        return [name for name in self.weights if name != CONSTANT]

    def __call__(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return float32 intensities within [0, 1] from the predictions of the estimators, which have equal shapes."""
        terms = [self.weights[name] * parts[name] for name in self.estimators]
        return np.clip(np.sum(terms, axis=0) + self.weights.get(CONSTANT, 0.0), 0.0, 1.0).astype(np.float32)


def fit(parts: Mapping[str, np.ndarray], label: np.ndarray) -> IntensityEstimate:
    """Fit the weights by non-negative least squares (Breiman 1996, "Stacked regressions", with a constant).

    Weights need not sum to one: the sum of estimators that are each shrunk towards the mean is shrunk too far, and the
    constant corrects the mean.

    Args:
        parts: predictions by estimator, float [rows] within [0, 1]; with fewer than 50 known labels the first estimator
            is used alone.
        label: float [rows] in [0, 1], NaN where unknown.
    """
    from scipy.optimize import nnls  # local, because the import is slow and an up-to-date run does not need it

    known = ~np.isnan(label)
    names = list(parts)
    if known.sum() < _LEAST:
        return IntensityEstimate({names[0]: 1.0})
    columns = [parts[name][known].astype(np.float64) for name in names]
    ones = np.ones(int(known.sum()))
    solution, _ = nnls(np.stack([*columns, ones, -ones], axis=1), label[known].astype(np.float64))
    weights = {name: round(float(weight), 6) for name, weight in zip(names, solution, strict=False)}
    return IntensityEstimate({**weights, CONSTANT: round(float(solution[-2] - solution[-1]), 6)})
