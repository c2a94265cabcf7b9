"""SessionTally: the sessions of all users, the latest first, in which those of some users can be replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.scorers.requests import Events
from interestrec.scorers.visits import first_of_each, visit_numbers

_COLUMNS = ("user", "end", "size", "content")  # of sessions


@dataclass(frozen=True)
class SessionTally:
    """Sessions, sorted by descending end; equal ones by size, content and user, so that names decide last."""

    user: np.ndarray  # int64 [sessions]
    end: np.ndarray  # int64 [sessions], microseconds of the last event, 0 without a time
    size: np.ndarray  # int64 [sessions], events
    content: np.ndarray  # int64 [sessions], sum of the items of all events
    offsets: np.ndarray  # int64 [sessions + 1], into `item` and `step`
    item: np.ndarray  # int32, distinct items of a session, ascending
    step: np.ndarray  # float32, the last step with the item, counted by distinct times from 1
    n_items: int

    def stored(self) -> Self:
        """Return the tally itself; see Tally."""
        return self

    def updated(
        self, before: Events, after: Events, log: Callable[[], Events], count: Callable[..., SessionTally]
    ) -> SessionTally:
        """See Tally. The cost is proportional to the events of these users, and to the sessions, which are copied."""
        changed = np.zeros(after.n_users, dtype=bool)
        changed[before.user], changed[after.user] = True, True
        offsets, entries = ragged.take(self.offsets, np.flatnonzero(~changed[self.user]))
        kept, new = ~changed[self.user], count(after)
        columns = {name: np.append(getattr(self, name)[kept], getattr(new, name)) for name in _COLUMNS}
        offsets = np.append(offsets, offsets[-1] + new.offsets[1:])
        item, step = np.append(self.item[entries], new.item), np.append(self.step[entries], new.step)
        return SessionTally(**columns, offsets=offsets, item=item, step=step, n_items=after.n_items)._sorted()

    def _sorted(self) -> SessionTally:
        """Sort the sessions; runs that are sorted already are merged in linear time."""
        order = np.argsort(-self.end, kind="stable")
        equal = self.end[order[1:]] == self.end[order[:-1]]
        tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
        rows = order[tied]
        keys = (self.user[rows], self.content[rows], self.size[rows], -self.end[rows])
        order[tied] = rows[np.lexsort(keys)]
        offsets, entries = ragged.take(self.offsets, order)
        columns = {name: getattr(self, name)[order] for name in _COLUMNS}
        return replace(self, **columns, offsets=offsets, item=self.item[entries], step=self.step[entries])

    def arrays(self) -> dict[str, np.ndarray]:
        """See Tally."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See Tally."""
        parts = {name: arrays[name] for name in (*_COLUMNS, "offsets", "item", "step")}
        return cls(**parts, n_items=int(arrays["n_items"]))


def count(events: Events, pause_hours: float) -> SessionTally:
    """Divide the events of each user into sessions, by pauses longer than `pause_hours`.

    Events without a time form one session per user.
    """
    from interestrec.corpus.store import NO_TIME

    order = np.lexsort((events.item, events.time, events.user))
    user, item, time = events.user[order], events.item[order].astype(np.int64), events.time[order]
    time = np.where(time == NO_TIME, 0, time)
    session = visit_numbers(user, time, pause_hours)
    starts = np.flatnonzero(first_of_each(session))
    number_of_step = np.cumsum(first_of_each(session, time))
    step = number_of_step - number_of_step[starts][session] + 1
    size = np.diff(np.append(starts, len(session)))
    order = np.lexsort((step, item, session))
    last = np.append(first_of_each(session[order], item[order]), True)[1:] if len(order) else order
    rows = order[last]
    return SessionTally(
        user=user[starts].astype(np.int64),
        end=time[starts + size - 1],
        size=size,
        content=np.add.reduceat(item, starts) if len(starts) else item,
        offsets=ragged.from_owner(session[rows], len(starts)),
        item=item[rows].astype(np.int32),
        step=step[rows].astype(np.float32),
        n_items=events.n_items,
    )._sorted()
