"""Uncertainty over users: percentile bootstrap, paired randomisation test and Holm's correction.

The unit of resampling is the user, because impressions of one user are not independent. The functions resample sums of
columns over users; a metric is f(Σ sums / Σ counts), so the weight of a user is their number of impressions.

All tables of a call share the same draws of all users; a table may contain a subset of the users. Differences between
columns and between tables are therefore paired, and the size of a subset varies as in another sample of users.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

_BLOCK = 512  # users per block, so that their draws fit into the processor's cache


@dataclass(frozen=True)
class UserValues:
    """Values per user, to be summed over users."""

    user: np.ndarray  # int64 [rows], distinct and ascending
    columns: np.ndarray  # float64 [rows, columns]


def resample(tables: Sequence[UserValues], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Sum all columns over `resamples` draws of `n_users` users with replacement; float64 [resamples, columns].

    Calls with equal seed and number of users draw the same users.
    """
    return _weighted_sums(tables, _draw_counts(n_users, resamples, seed), resamples)


def swap_signs(tables: Sequence[UserValues], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Sum all columns with a random sign per user; float64 [resamples, columns].

    For the randomisation test of Fisher and Pitman: if a column is half the difference of two systems, a negative sign
    exchanges the two systems for that user.
    """
    return _weighted_sums(tables, _random_signs(n_users, resamples, seed), resamples)


def interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled values; two float64 [columns], NaN where every draw is NaN."""
    tail = (1 - level) / 2
    defined = ~np.isnan(values).all(axis=0)
    limits = np.full((2, values.shape[1]), np.nan)
    if defined.any():
        limits[:, defined] = np.nanquantile(values[:, defined], [tail, 1 - tail], axis=0)
    return limits[0], limits[1]


def p_value(observed: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """Two-sided p of a difference: (1 + draws at least as extreme) / (1 + draws), never 0; float64 [columns].

    Args:
        observed: float64 [columns], the observed difference.
        by_chance: float64 [resamples, columns], differences with random signs per user, see `swap_signs`.
    """
    return (1 + _as_extreme(observed, by_chance).sum(axis=0)) / (1 + len(by_chance))


def randomisation_interval(
    observed: np.ndarray, by_chance: np.ndarray, balance: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the differences that the randomisation test does not reject: two float64 [columns].

    They are infinite if the test can reject no difference, as with five users, whose minimum p is 2 / 2⁵. They exclude
    0 exactly if `p_value` is below 1 - level.

    If the true difference is δ, the contribution d_u - δ c_u of a user with the share c_u of all lists has either sign
    with equal probability. With signs s the test compares |A - δB| with |D - δ|, where A = Σ s_u d_u, B = Σ s_u c_u and
    D = Σ d_u: a draw is as extreme as the observation for every δ between (D - A) / (1 - B) and (D + A) / (1 + B). The
    p of δ therefore counts the draws whose two ends enclose δ, and the limits are order statistics of the ends. For
    metrics that are not a mean over lists, such as a root, this is the first order in δ (Garthwaite 1996, "Confidence
    intervals from randomization tests").

    Args:
        observed: D, float64 [columns].
        by_chance: A, float64 [resamples, columns]; see `p_value`.
        balance: B, float64 [resamples], from -1 (all users swapped) to 1 (no user swapped).
    """
    alike = np.abs(balance) > 1 - 1e-12  # all users or none swapped: as extreme for every δ
    share = np.where(alike, 0.0, balance)[:, None]
    ends = np.stack([(observed - by_chance) / (1 - share), (observed + by_chance) / (1 + share)])
    # Draws that `p_value` counts as extreme, including ties within rounding, must enclose 0.
    zero = np.where(_as_extreme(observed, by_chance), 0.0, observed)
    low, high = np.minimum(ends.min(axis=0), zero), np.maximum(ends.max(axis=0), zero)
    low[alike], high[alike] = -np.inf, np.inf
    p = (1 + np.arange(len(by_chance) + 1)) / (1 + len(by_chance))
    minimum = int(np.searchsorted(p, 1 - level - 1e-12))  # draws that must enclose a δ that is not rejected
    if minimum == 0:
        return np.full(len(observed), -np.inf), np.full(len(observed), np.inf)
    return np.sort(low, axis=0)[minimum - 1], np.sort(high, axis=0)[-minimum]


def _as_extreme(observed: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """bool [resamples, columns]: the draw is at least as extreme; ties count within rounding."""
    size = np.abs(observed)
    return np.asarray(np.abs(by_chance) >= size - 1e-12 * np.maximum(1.0, size))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of a family of p values; float64 [tests]."""
    order = np.argsort(p, kind="stable")
    ordered = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(ordered, 1.0)
    return adjusted


def _weighted_sums(tables: Sequence[UserValues], weights: Iterator[np.ndarray], resamples: int) -> list[np.ndarray]:
    """Σ weight × column over users; `weights` yields float64 [users of a block, resamples]."""
    sums = [np.zeros((resamples, table.columns.shape[1])) for table in tables]
    start = 0
    # The summation order of a threaded product depends on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        for weight in weights:
            for table, total in zip(tables, sums, strict=True):
                first, last = np.searchsorted(table.user, [start, start + len(weight)])
                if first == last:
                    continue
                selected = weight if last - first == len(weight) else weight[table.user[first:last] - start]
                total += selected.T @ table.columns[first:last]
            start += len(weight)
    return sums


def _draw_counts(n_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each user is drawn, block by block: draws per block are multinomial, then uniform within it."""
    generator = np.random.default_rng(seed)
    sizes = np.diff(np.append(np.arange(0, n_users, _BLOCK), n_users))
    draws = generator.multinomial(n_users, sizes / n_users, size=resamples) if n_users else np.zeros((resamples, 0))
    for size, times in zip(sizes.tolist(), draws.T, strict=True):
        cell = generator.integers(size, size=int(times.sum()), dtype=np.uint16).astype(np.int64)
        cell *= resamples
        cell += np.repeat(np.arange(resamples), times)
        yield np.bincount(cell, minlength=size * resamples).reshape(size, resamples).astype(np.float64)


def _random_signs(n_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, n_users, _BLOCK):
        shape = (min(_BLOCK, n_users - start), resamples)
        bits = np.frombuffer(generator.bytes(-(-shape[0] * resamples // 8)), np.uint8)
        yield np.unpackbits(bits, count=shape[0] * resamples).reshape(shape) * 2.0 - 1.0
