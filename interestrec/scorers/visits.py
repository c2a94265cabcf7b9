"""Visits: the events of a user, or of a history, in sittings that longer pauses divide."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.corpus.no_time import NO_TIME

_HOUR = 3_600_000_000  # microseconds


def visit_numbers(owner: np.ndarray, time: np.ndarray, pause_hours: float) -> np.ndarray:
    """Number the visits of all owners; int64 [events], from 0, in the order of the events.

    A visit ends before a pause longer than `pause_hours`. An event without a time is a visit of its own.

    Args:
        owner: int [events], ascending: the user or request of an event.
        time: int64 [events], microseconds, ascending within an owner, store.NO_TIME where null.
        pause_hours: in hours.
    """
    starts = np.ones(len(owner), dtype=bool)
    known = (time[1:] != NO_TIME) & (time[:-1] != NO_TIME)
    pause = np.where(known, time[1:], 0) - np.where(known, time[:-1], 0)
    starts[1:] = (owner[1:] != owner[:-1]) | ~known | (pause > pause_hours * _HOUR)
    return np.cumsum(starts) - 1


def first_of_each(*keys: np.ndarray) -> np.ndarray:
    """bool [n]: the row differs from the row before it in a key, [n]; True for the first row."""
    first = np.ones(len(keys[0]), dtype=bool)
    first[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return first
