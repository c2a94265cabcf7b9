"""Uncertainty over users: percentile bootstrap, paired randomisation test, Holm's correction.

The user, not the impression, is resampled: impressions of one user are not independent.
A metric's value is f(Σ sums / Σ counts) over users, so users weigh as much as they have impressions.
"""

from collections.abc import Callable, Iterator

import numpy as np

Transform = Callable[[np.ndarray], np.ndarray]
_CELLS = 1 << 24  # of one block of resamples × users


def resampled_values(
    sums: np.ndarray, counts: np.ndarray, transform: Transform, resamples: int, seed: int
) -> np.ndarray:
    """The metric on `resamples` draws of users with replacement; float64 [resamples, columns].

    Equal seeds and numbers of users draw the same users, so that differences between columns, or between
    calls, are paired. A draw without any count is NaN.

    Args:
        sums: float64 [users, columns], sum of the values of a user's impressions.
        counts: float64 [users, columns], how many they are.
        transform: f, applied to the weighted mean.
    """
    users = len(sums)
    generator = np.random.default_rng(seed)
    values = np.empty((resamples, sums.shape[1]))
    for start, stop in _blocks(resamples, users):
        drawn = generator.integers(users, size=(stop - start, users))
        drawn += np.arange(stop - start)[:, None] * users
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
        values[start:stop] = _ratio(_product(times, sums), _product(times, counts), transform)
    return values


def interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled values; two float64 [columns], NaN where every draw was."""
    tail = (1 - level) / 2
    defined = ~np.isnan(values).all(axis=0)
    ends = np.full((2, values.shape[1]), np.nan)
    if defined.any():
        ends[:, defined] = np.nanquantile(values[:, defined], [tail, 1 - tail], axis=0)
    return ends[0], ends[1]


def randomisation_p(
    sums_a: np.ndarray, sums_b: np.ndarray, counts: np.ndarray, transform: Transform, resamples: int, seed: int
) -> np.ndarray:
    """Two-sided p of "the two systems are exchangeable", by swapping them user by user (Fisher, Pitman).

    p = (1 + swaps at least as extreme) / (1 + swaps), never 0.

    Args:
        sums_a, sums_b: float64 [users, columns], each column one comparison.
        counts: float64 [users, columns], the same for both: paired systems answer the same impressions.

    Returns:
        float64 [columns]
    """
    generator = np.random.default_rng(seed)
    total, middle, half = counts.sum(axis=0), (sums_a + sums_b).sum(axis=0) / 2, (sums_a - sums_b) / 2
    observed = _swapped(middle, half.sum(axis=0), total, transform)
    extreme = np.zeros(sums_a.shape[1])
    for start, stop in _blocks(resamples, len(half)):
        sign = generator.integers(2, size=(stop - start, len(half))) * 2.0 - 1.0
        swapped = _swapped(middle, _product(sign, half), total, transform)
        extreme += (swapped >= observed - 1e-12 * np.maximum(1.0, observed)).sum(axis=0)
    return (1 + extreme) / (1 + resamples)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of a family of p values; float64 [tests]."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _swapped(middle: np.ndarray, difference: np.ndarray, total: np.ndarray, transform: Transform) -> np.ndarray:
    return np.abs(_ratio(middle + difference, total, transform) - _ratio(middle - difference, total, transform))


def _ratio(sums: np.ndarray, counts: np.ndarray, transform: Transform) -> np.ndarray:
    shape = np.broadcast_shapes(sums.shape, counts.shape)
    mean = np.divide(sums, counts, out=np.full(shape, np.nan), where=np.broadcast_to(counts > 0, shape))
    return transform(np.maximum(mean, 0.0))


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Matrix product without BLAS, whose summation order depends on the number of threads."""
    return np.einsum("bu,um->bm", left, right)


def _blocks(resamples: int, users: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CELLS // max(users, 1))
    for start in range(0, resamples, step):
        yield start, min(start + step, resamples)
