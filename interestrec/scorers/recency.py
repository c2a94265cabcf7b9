"""Recency: weights of events and history entries that halve per half-life."""

from __future__ import annotations

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.corpus.no_time import NO_TIME
from interestrec.scorers.requests import Events, Requests

HALF_LIVES = [None, 7.0, 14.0, 30.0, 90.0, 365.0]  # days, values of the search space
_DAY = 86_400_000_000  # microseconds


def event_recency(events: Events, half_life: float | None, latest: int | None = None) -> np.ndarray:
    """float64 [events]: 2^(−age / half_life), where the age is relative to the latest event.

    An event without a time has weight 1.

    Args:
        half_life: days; None: all weights are 1.
        latest: microseconds, what ages are relative to instead; events may be later.
    """
    if half_life is None:
        return np.ones(len(events.time))
    reference = events.time.max(initial=NO_TIME) if latest is None else latest
    return _halved(events.time, np.full(len(events.time), reference), half_life)


def history_recency(requests: Requests, half_life: float | None) -> np.ndarray:
    """float64 [total]: event_recency for history entries, with ages relative to the latest entry of the request."""
    if half_life is None or len(requests.time) == 0:
        return np.ones(len(requests.time))
    size = np.diff(requests.offsets)
    latest = np.full(len(requests), NO_TIME)
    latest[size > 0] = np.maximum.reduceat(requests.time, requests.offsets[:-1][size > 0])
    return _halved(requests.time, ragged.repeat(requests.offsets, latest), half_life)


def _halved(time: np.ndarray, latest: np.ndarray, half_life: float) -> np.ndarray:
    known = time != NO_TIME
    age = np.zeros(len(time))
    age[known] = (latest[known] - time[known]) / _DAY
    return np.exp2(-age / half_life)
