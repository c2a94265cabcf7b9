"""Integrated gradients (Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks")."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from interestrec.model.backend import tf

_BATCH = 16  # points of the path that are evaluated together


class Attribution(NamedTuple):
    """What each coordinate of an input adds to a function between a baseline and the input."""

    parts: np.ndarray  # float64 in the shape of the input
    value: float  # at the input
    baseline_value: float

    @property
    def error(self) -> float:
        """|Σ parts − (value − baseline_value)| over the size of that change: 0 if complete, infinite without one."""
        change = self.value - self.baseline_value
        missed = abs(float(self.parts.sum()) - change)
        return missed / abs(change) if change else (0.0 if missed == 0 else float("inf"))


def integrated_gradients(
    function: Callable[[tf.Tensor], tf.Tensor], point: np.ndarray, baseline: np.ndarray, steps: int
) -> Attribution:
    """Attribute the change of a function along the straight path from a baseline to a point.

    Part n is (x_n − b_n) ∫₀¹ ∂f(b + t (x − b)) / ∂x_n dt; the integral is by Gauss-Legendre quadrature.

    Args:
        function: from float32 [points, ...] to float32 [points], each point by itself.
        point: x, float32 [...].
        baseline: b, in the same shape.
        steps: number of nodes of the quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    nodes, weights = (nodes + 1) / 2, weights / 2
    path = point.astype(np.float64) - baseline
    gradient = np.zeros(path.shape)
    for start in range(0, steps, _BATCH):
        t = nodes[start : start + _BATCH].reshape(-1, *[1] * path.ndim)
        inputs = tf.constant((baseline + t * path).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = tf.reduce_sum(function(inputs))
        gradients = tape.gradient(values, inputs).numpy().astype(np.float64)
        gradient += np.tensordot(weights[start : start + _BATCH], gradients, axes=1)
    value, baseline_value = (
        function(tf.constant(np.stack([point, baseline]).astype(np.float32))).numpy().astype(np.float64)
    )
    return Attribution(path * gradient, float(value), float(baseline_value))
