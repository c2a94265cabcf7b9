"""Uncertainty over users: percentile bootstrap, paired randomisation test, Holm's correction.

The user, not the impression, is resampled: impressions of one user are not independent. What is resampled are sums of
columns over users; a metric is f(Σ sums / Σ counts), so users weigh as much as they have impressions.

All tables of a call see the same draws of all users, of which a table may hold a part. So differences between its
columns and between tables are paired, and the size of a part varies as it would in another sample of users.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

_BLOCK = 512  # users; their draws stay in the processor's cache


@dataclass(frozen=True)
class UserValues:
    """Columns to sum over users."""

    user: np.ndarray  # int64 [rows], distinct and ascending
    columns: np.ndarray  # float64 [rows, columns]


def resample(tables: Sequence[UserValues], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Sums of all columns over `resamples` draws of `n_users` users with replacement, float64 [resamples, columns].

    Equal seeds and numbers of users draw the same users in every call.
    """
    return _weighted(tables, _times_drawn(n_users, resamples, seed), resamples)


def swap_signs(tables: Sequence[UserValues], n_users: int, resamples: int, seed: int) -> list[np.ndarray]:
    """Sums of all columns with the sign of each user turned at random, float64 [resamples, columns].

    For the randomisation test of Fisher and Pitman: with half the difference of two systems as a column, a turned sign
    swaps what the systems got from that user.
    """
    return _weighted(tables, _signs(n_users, resamples, seed), resamples)


def interval(values: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled values; two float64 [columns], NaN where every draw was."""
    tail = (1 - level) / 2
    defined = ~np.isnan(values).all(axis=0)
    ends = np.full((2, values.shape[1]), np.nan)
    if defined.any():
        ends[:, defined] = np.nanquantile(values[:, defined], [tail, 1 - tail], axis=0)
    return ends[0], ends[1]


def p_value(observed: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """Two-sided p of a difference: (1 + draws at least as extreme) / (1 + draws), never 0; float64 [columns].

    Args:
        observed: float64 [columns], the difference found.
        by_chance: float64 [resamples, columns], differences where the systems are swapped user by user.
    """
    return (1 + _as_extreme(observed, by_chance).sum(axis=0)) / (1 + len(by_chance))


def randomisation_interval(
    observed: np.ndarray, by_chance: np.ndarray, balance: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The differences that the randomisation test does not reject: two float64 [columns], infinite where it can reject
    none, as of five users, whose least possible p is 2 / 2⁵. They exclude 0 exactly where `p_value` is below 1 - level.

    If the true difference is δ, the difference d_u - δ c_u that a user of the share c_u of all lists contributes is as
    likely to have the other sign. With signs s the test compares |A - δB| with |D - δ|, where A = Σ s_u d_u, B = Σ s_u
    c_u and D = Σ d_u: a draw is as extreme as what was found for every δ between (D - A) / (1 - B) and
    (D + A) / (1 + B). So the p of δ counts the draws between whose two ends it lies, and the limits are order
    statistics of the ends. Of metrics that are no mean over lists, such as a root, this is the first order in δ.
    Garthwaite 1996, "Confidence intervals from randomization tests".

    Args:
        observed: D, float64 [columns].
        by_chance: A, float64 [resamples, columns]; as `p_value`.
        balance: B, float64 [resamples], from -1 where all users are swapped to 1 where none is.
    """
    alike = np.abs(balance) > 1 - 1e-12  # all or none swapped: extreme for every δ
    share = np.where(alike, 0.0, balance)[:, None]
    ends = np.stack([(observed - by_chance) / (1 - share), (observed + by_chance) / (1 + share)])
    # What p counts as extreme, ties within rounding too, holds 0.
    zero = np.where(_as_extreme(observed, by_chance), 0.0, observed)
    low, high = np.minimum(ends.min(axis=0), zero), np.maximum(ends.max(axis=0), zero)
    low[alike], high[alike] = -np.inf, np.inf
    p = (1 + np.arange(len(by_chance) + 1)) / (1 + len(by_chance))
    fewest = int(np.searchsorted(p, 1 - level - 1e-12))  # draws that must hold a difference for the test to keep it
    if fewest == 0:
        return np.full(len(observed), -np.inf), np.full(len(observed), np.inf)
    return np.sort(low, axis=0)[fewest - 1], np.sort(high, axis=0)[-fewest]


def _as_extreme(observed: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """bool [resamples, columns]; ties count within rounding."""
    size = np.abs(observed)
    return np.asarray(np.abs(by_chance) >= size - 1e-12 * np.maximum(1.0, size))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of a family of p values; float64 [tests]."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _weighted(tables: Sequence[UserValues], weights: Iterator[np.ndarray], resamples: int) -> list[np.ndarray]:
    """Σ weight × column, the weights float64 [block of users, resamples]."""
    sums = [np.zeros((resamples, table.columns.shape[1])) for table in tables]
    start = 0
    # How a threaded product adds up depends on the number of threads.
    with threadpool_limits(1, user_api="blas"):
        for weight in weights:
            for table, total in zip(tables, sums, strict=True):
                first, last = np.searchsorted(table.user, [start, start + len(weight)])
                if first == last:
                    continue
                here = weight if last - first == len(weight) else weight[table.user[first:last] - start]
                total += here.T @ table.columns[first:last]
            start += len(weight)
    return sums


def _times_drawn(n_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each user is drawn: first how many draws fall into each block, then on whom in it."""
    generator = np.random.default_rng(seed)
    sizes = np.diff(np.append(np.arange(0, n_users, _BLOCK), n_users))
    draws = generator.multinomial(n_users, sizes / n_users, size=resamples) if n_users else np.zeros((resamples, 0))
    for size, times in zip(sizes.tolist(), draws.T, strict=True):
        drawn = generator.integers(size, size=int(times.sum()), dtype=np.uint16).astype(np.int64)
        drawn *= resamples
        drawn += np.repeat(np.arange(resamples), times)
        yield np.bincount(drawn, minlength=size * resamples).reshape(size, resamples).astype(np.float64)


def _signs(n_users: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, n_users, _BLOCK):
        shape = (min(_BLOCK, n_users - start), resamples)
        bits = np.frombuffer(generator.bytes(-(-shape[0] * resamples // 8)), np.uint8)
        yield np.unpackbits(bits, count=shape[0] * resamples).reshape(shape) * 2.0 - 1.0
