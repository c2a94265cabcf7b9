"""The task of ratings: an ordinal model with a cumulative link (McCullagh 1980)."""

from __future__ import annotations

from typing import Any

from interestrec.core.deferred_import import np
from interestrec.model.backend import tf
from interestrec.model.task_kind import Parameters, TaskKind

_MOST_LEVELS = 20
_FAR = 1e4  # a threshold below the first or above the last


def rating_values(scores: tf.Tensor, labels: tf.Tensor, thresholds: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """-log P(level), where P(y > level k) = σ(s - b_k) for rising thresholds b_k.

    P(level k) = σ(s - b_{k-1}) - σ(s - b_k) = σ(s - b_{k-1}) σ(b_k - s) (1 - exp(b_{k-1} - b_k)), which is exact where
    the difference of the sigmoids is not. A label between two levels counts as the nearer one.
    """
    levels = tf.constant(parameters["levels"], tf.float32)
    level = tf.argmin(tf.abs(labels[..., None] - levels), axis=-1)
    rising = rising_thresholds(thresholds)
    bounds = tf.concat([[-_FAR], rising, [_FAR]], axis=0)
    below, above = tf.gather(bounds, level), tf.gather(bounds, level + 1)
    apart = tf.math.log(-tf.math.expm1(below - above))
    return tf.nn.softplus(below - scores) + tf.nn.softplus(scores - above) - apart


def rising_thresholds(raw: tf.Tensor) -> tf.Tensor:
    """Return b_0 = r_0, b_k = b_{k-1} + softplus(r_k), float32 [levels - 1]."""
    return tf.cumsum(tf.concat([raw[:1], tf.nn.softplus(raw[1:])], axis=0))


def rating_fit(labels: np.ndarray) -> dict[str, Any]:
    """Return the distinct labels as `levels`."""
    levels = np.unique(labels.astype(np.float32)).tolist()
    if not 2 <= len(levels) <= _MOST_LEVELS:
        raise ValueError(
            f"the labels of train have {len(levels):,} levels, but a rating has 2 to {_MOST_LEVELS}; use the kind "
            "count or duration"
        )
    return {"levels": levels}


def rating_start(mean: float, parameters: Parameters) -> float:
    """Return 0: the thresholds hold the shares of the levels."""
    return 0.0


def rating_thresholds(parameters: Parameters, labels: np.ndarray) -> np.ndarray:
    """Return raw thresholds at which σ(-b_k) is the share of labels above level k, float32 [levels - 1]."""
    levels = np.asarray(parameters["levels"])
    above = np.array([(labels > level + 1e-6).mean() for level in levels[:-1]])
    rising = -np.log(above / (1 - above))
    gaps = np.maximum(np.diff(rising), 1e-3)
    return np.concatenate([rising[:1], np.log(np.expm1(gaps))]).astype(np.float32)


def rating_calibration(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, parameters: Parameters, name: str
) -> dict[str, Any]:
    """Return scale and shift of the score by the likelihood of the levels."""
    from scipy.optimize import minimize
    from scipy.special import expit

    levels = np.asarray(parameters["levels"])
    level = np.abs(labels[:, None] - levels).argmin(axis=1)
    bounds = np.concatenate([[-np.inf], np.asarray(parameters["thresholds"], np.float64), [np.inf]])
    x = scores.astype(np.float64)

    def loss(found: np.ndarray) -> float:
        z = found[0] * x + found[1]
        share = expit(z - bounds[level]) - expit(z - bounds[level + 1])
        return float(-np.log(np.maximum(share, 1e-12)).mean())

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(1e-3, None), (None, None)])
    return {"scale": float(found.x[0]), "shift": float(found.x[1])}


def rating_log_expected(scores: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return log(l_0 + Σ_k (l_{k+1} - l_k) σ(scale · s + shift - b_k)), the mean over levels l_k."""
    levels = np.asarray(parameters["levels"], np.float32)
    x = scores * np.float32(parameters.get("scale", 1.0)) + np.float32(parameters.get("shift", 0.0))
    total = np.full(scores.shape, levels[0], np.float32)
    with np.errstate(over="ignore"):  # exp overflows to infinity, which gives 0
        for gap, bound in zip(np.diff(levels), np.asarray(parameters["thresholds"], np.float32), strict=True):
            total += gap / (np.float32(1) + np.exp(bound - x))
    return np.log(np.maximum(total, np.float32(1e-12)))


RATING = TaskKind(
    rating_values,
    rating_fit,
    rating_start,
    rating_calibration,
    rating_log_expected,
    ("rmse", "mae", "spearman", "ece"),
    "levels such as stars, by their order, with thresholds between them",
    label="value",
    thresholds=rating_thresholds,
)
