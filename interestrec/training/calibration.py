"""From logits to intensities that mean what they say."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

_FEWEST = 50  # labels below which nothing is fitted


def fit_platt(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Scale and shift of the logit that minimise the cross-entropy against graded labels (Platt 1999).

    Args:
        logits: float [n].
        labels: float [n] in [0, 1].

    Returns:
        {"scale": a, "shift": b} of σ(a·logit + b), a > 0; the identity when there are fewer than 50 labels or
        all are equal.
    """
    if len(labels) < _FEWEST or np.ptp(labels) == 0:
        return {"scale": 1.0, "shift": 0.0}
    x, y = logits.astype(np.float64), labels.astype(np.float64)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * x + parameters[1]
        error = expit(z) - y
        value = float(np.mean(np.logaddexp(0.0, z) - y * z))
        return value, np.array([np.mean(error * x), np.mean(error)])

    found = minimize(objective, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-3, None), (None, None)])
    return {"scale": float(found.x[0]), "shift": float(found.x[1])}
