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
    size = np.abs(observed)
    extreme = (np.abs(by_chance) >= size - 1e-12 * np.maximum(1.0, size)).sum(axis=0)
    return (1 + extreme) / (1 + len(by_chance))


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
