"""What was known at a moment: events of an item or of a user strictly before a time, by windows that end there."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.no_time import NO_TIME

_HOUR = 3_600_000_000  # microseconds
_DAY = 24 * _HOUR
# Columns of the counts: name -> length in microseconds; None = everything before the time.
WINDOWS: Mapping[str, int | None] = {"1h": _HOUR, "1d": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY, "all": None}

_LENGTHS = np.array([length for length in WINDOWS.values() if length is not None], np.int64)
_STARTS = np.append(-_LENGTHS[::-1], 0)  # ascending, so that the searches of one row follow each other in memory
_MOST_KEYS = 1 << 62
_BLOCK = 1 << 17  # rows that are looked up together; larger blocks leave the processor's cache


@dataclass(frozen=True)
class EventCounters:
    """Counts of events by owner, an item or a user, at any time.

    An event is the key owner · ticks + ⌈(time − origin) / unit⌉, so that the events of an owner before a time are a
    range of the sorted keys, and its two ends are found by binary search. The unit is the smallest for which keys fit
    64 bits: one microsecond, or some microseconds where a million owners have events over decades. Rounding up keeps
    the order: an event at a time or later is never before it, and one that is at least a unit earlier always is.
    """

    keys: np.ndarray  # int64 [events], ascending
    first: np.ndarray  # int64 [owners + 1]: the events of owner o are keys[first[o]:first[o + 1]]
    origin: int  # microseconds, the earliest event
    unit: int  # microseconds
    ticks: int  # keys per owner, more than any event's distance from the origin

    @classmethod
    def of(cls, owner: np.ndarray, time: np.ndarray, owners: int) -> "EventCounters":
        """Sort events; those with NO_TIME are left out.

        Args:
            owner: int32 [events].
            time: int64 [events], microseconds.
            owners: number of owners.
        """
        timed = time != NO_TIME
        if not timed.all():
            owner, time = owner[timed], time[timed]
        origin = int(time.min(initial=np.iinfo(np.int64).max)) if len(time) else 0
        span = int(time.max()) - origin if len(time) else 0
        unit = 1 + owners * (span + 2) // _MOST_KEYS
        ticks = span // unit + 3
        keys = np.empty(len(owner), np.int64)
        for start in range(0, len(keys), _BLOCK):
            rows = slice(start, start + _BLOCK)
            keys[rows] = _rounded_up(time[rows] - origin, unit) + owner[rows] * np.int64(ticks)
        keys.sort()
        first = ragged.from_lengths(np.bincount(owner, minlength=owners))
        return cls(keys, first, origin, unit, ticks)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the counters as integer arrays by name."""
        return {"keys": self.keys, "first": self.first, "scale": np.array([self.origin, self.unit, self.ticks])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "EventCounters":
        """Restore the result of `arrays`."""
        return cls(arrays["keys"], arrays["first"], *arrays["scale"].tolist())

    def counts(self, owner: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Count the events of each owner strictly before a time, in the window of each length that ends there.

        An event at time e is counted at time t by the window of length w if t − w ≤ e < t. At NO_TIME all
        counts are 0.

        Args:
            owner: int [n].
            time: int64 [n], microseconds.

        Returns:
            float32 [n, WINDOWS].
        """
        counts = np.empty((len(owner), len(WINDOWS)), np.float32)
        for start in range(0, len(owner), _BLOCK):
            rows = slice(start, start + _BLOCK)
            end = self._ends(owner[rows], time[rows], _STARTS)
            counts[rows, :-1] = end[:, -1:] - end[:, -2::-1]
            counts[rows, -1] = end[:, -1] - self.first[owner[rows]]
        return counts

    def at(self, time: int) -> np.ndarray:
        """Count for all owners at one time, as `counts` does: float32 [owners, WINDOWS]."""
        owners = np.arange(len(self.first) - 1)
        return self.counts(owners, np.full(len(owners), time))

    def ages(self, owner: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Days since the owner's first event before a time: float32 [n], NaN if there is none or at NO_TIME.

        Args: see `counts`.
        """
        return self._days_since(owner, time, self.first[owner])

    def since_last(self, owner: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Days since the owner's last event before a time: float32 [n], NaN if there is none or at NO_TIME.

        Args: see `counts`.
        """
        return self._days_since(owner, time, self._ends(owner, time, _STARTS[-1:])[:, 0] - 1)

    def _days_since(self, owner: np.ndarray, time: np.ndarray, event: np.ndarray) -> np.ndarray:
        """Days from an event, int64 [n] into keys, to a time; NaN where it is not an event of the owner before it."""
        days = np.full(len(owner), np.nan, np.float32)
        inside = np.flatnonzero((event >= self.first[owner]) & (event < self.first[owner + 1]))
        when = self.origin + (self.keys[event[inside]] - owner[inside] * np.int64(self.ticks)) * self.unit
        before = when < time[inside]
        days[inside[before]] = (time[inside[before]] - when[before]) / _DAY
        return days

    def _ends(self, owner: np.ndarray, time: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Where the events of an owner before time + shift end among the keys: int64 [n, shifts].

        At NO_TIME it is where the owner's events begin.
        """
        since = np.where(time == NO_TIME, 0, time - self.origin)
        tick = _rounded_up(since[:, None] + shifts, self.unit).clip(0, self.ticks - 1)
        return np.searchsorted(self.keys, owner[:, None] * np.int64(self.ticks) + tick)


def are_periods(time: np.ndarray, split: np.ndarray) -> bool:
    """Return whether splits are periods of time: no event of any user is earlier than one of an earlier split.

    Splits at a time for all are; splits at a time per user and random ones are not.

    Args:
        time, split: [events]; NO_TIME is ignored; split is an index into schemas.SPLITS.
    """
    timed = time != NO_TIME
    parts = [time[timed & (split == part)] for part in np.unique(split)]
    bounds = [(part.min(), part.max()) for part in parts if len(part)]
    return all(before[1] <= after[0] for before, after in pairwise(bounds))


def _rounded_up(values: np.ndarray, unit: int) -> np.ndarray:
    return values.copy() if unit == 1 else -(-values // unit)
