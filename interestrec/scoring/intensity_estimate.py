"""The decision's intensity: a sum of estimators that each predict one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_LEAST = 50  # known labels below which the first estimator stands alone
CONSTANT = "constant"


@dataclass(frozen=True)
class IntensityEstimate:
    """constant + Σ_e w_e p_e with w ≥ 0, cut to [0, 1]."""

    weights: Mapping[str, float]  # estimator -> weight; of `constant`, which is added, it may be negative

    def __call__(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 within [0, 1], from the estimators' predictions of one shape."""
        terms = [weight * parts[name] for name, weight in self.weights.items() if name != CONSTANT]
        return np.clip(np.sum(terms, axis=0) + self.weights.get(CONSTANT, 0.0), 0.0, 1.0).astype(np.float32)


def fit(parts: Mapping[str, np.ndarray], label: np.ndarray) -> IntensityEstimate:
    """The sum nearest to the labels in least squares (Breiman 1996, "Stacked regressions", with a constant).

    Weights need not sum to one: estimators that are each drawn towards the mean are together drawn too far, and the
    constant puts the mean right.

    Args:
        parts: of each estimator its predictions, float [rows] within [0, 1]; the first stands alone where there are
            too few labels.
        label: float [rows] in [0, 1], NaN where unknown.
    """
    from scipy.optimize import nnls  # here, as it is slow to import and an unchanged run needs none

    known = ~np.isnan(label)
    names = list(parts)
    if known.sum() < _LEAST:
        return IntensityEstimate({names[0]: 1.0})
    columns = [parts[name][known].astype(np.float64) for name in names]
    ones = np.ones(int(known.sum()))
    solution, _ = nnls(np.stack([*columns, ones, -ones], axis=1), label[known].astype(np.float64))
    weights = {name: round(float(weight), 6) for name, weight in zip(names, solution, strict=False)}
    return IntensityEstimate({**weights, CONSTANT: round(float(solution[-2] - solution[-1]), 6)})
