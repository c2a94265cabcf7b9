"""Counts of the events of all items at one time, as `EventCounters` counts those of single items."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interestrec.corpus.counters import WINDOWS
from interestrec.corpus.no_time import NO_TIME

_SNAPSHOTS = 64  # of the counts of all events; between two of them the events are counted


@dataclass(frozen=True)
class CountsAtTimes:
    """Events in the order of time, with the counts of all owners at some of them.

    A window is a range of the events, which one pass counts for all owners; `EventCounters` would search once per owner
    and window.
    """

    owner: np.ndarray  # int32 [events], in the order of time
    time: np.ndarray  # int64 [events], ascending
    snapshots: np.ndarray  # int64 [snapshots, owners], counts of the first `step`, 2 · `step` … events, after none
    step: int
    first: np.ndarray  # int64 [owners], time of the first event; the largest integer without events

    @classmethod
    def of(cls, owner: np.ndarray, time: np.ndarray, owners: int) -> "CountsAtTimes":
        """Sort events; those with NO_TIME are left out. Arguments are those of `EventCounters.of`."""
        timed = time != NO_TIME
        if not timed.all():
            owner, time = owner[timed], time[timed]
        order = np.argsort(time, kind="stable")
        owner, time = owner[order], time[order]
        step = max(len(owner) // _SNAPSHOTS, 1)
        counts = [np.bincount(owner[start : start + step], minlength=owners) for start in range(0, len(owner), step)]
        snapshots = np.cumsum([np.zeros(owners, np.int64), *counts], axis=0)
        first = np.full(owners, np.iinfo(np.int64).max)
        np.minimum.at(first, owner, time)
        return cls(owner, time, snapshots, step, first)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the counts as integer arrays by name."""
        names = ("owner", "time", "snapshots", "first")
        return {**{name: getattr(self, name) for name in names}, "step": np.array(self.step)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "CountsAtTimes":
        """Restore the result of `arrays`."""
        return cls(arrays["owner"], arrays["time"], arrays["snapshots"], int(arrays["step"]), arrays["first"])

    def at(self, time: int) -> np.ndarray:
        """Count for all owners at one time: float32 [owners, WINDOWS], equal to `EventCounters.counts`."""
        owners = len(self.first)
        counts = np.zeros((owners, len(WINDOWS)), np.float32)
        if time == NO_TIME:
            return counts
        end = int(np.searchsorted(self.time, time))
        for column, length in enumerate(WINDOWS.values()):
            if length is None:
                done = end // self.step
                counts[:, column] = self.snapshots[done]
                begin = done * self.step
                counts[:, column] += np.bincount(self.owner[begin:end], minlength=owners)
            else:
                begin = int(np.searchsorted(self.time, time - length))
                counts[:, column] = np.bincount(self.owner[begin:end], minlength=owners)
        return counts
