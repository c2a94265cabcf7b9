"""The decision's intensity: a convex sum of estimators that each predict one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

_LEAST = 50  # known labels below which the first estimator stands alone
_SUM_TO_ONE = 1e3  # weight of the equation that makes the sum convex, in rows


@dataclass(frozen=True)
class Estimate:
    """Σ_e w_e p_e with w ≥ 0 and Σ w = 1."""

    weights: Mapping[str, float]  # estimator -> weight

    def __call__(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 within [0, 1], from the estimators' predictions of one shape."""
        return np.sum([weight * parts[name] for name, weight in self.weights.items()], axis=0).astype(np.float32)


def fit(parts: Mapping[str, np.ndarray], label: np.ndarray) -> Estimate:
    """The convex sum nearest to the labels in least squares (Breiman 1996, "Stacked regressions").

    Args:
        parts: of each estimator its predictions, float [rows] within [0, 1]; the first stands alone where there are
            too few labels.
        label: float [rows] in [0, 1], NaN where unknown.
    """
    known = ~np.isnan(label)
    names = list(parts)
    if known.sum() < _LEAST or len(names) == 1:
        return Estimate({name: float(name == names[0]) for name in names})
    columns = np.stack([parts[name][known].astype(np.float64) for name in names], axis=1)
    scale = _SUM_TO_ONE * np.sqrt(len(columns))
    found, _ = nnls(np.vstack([columns, np.full(len(names), scale)]), np.append(label[known], scale))
    return Estimate({name: round(float(weight), 6) for name, weight in zip(names, found / found.sum(), strict=True)})
