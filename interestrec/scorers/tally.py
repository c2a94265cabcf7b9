"""Tally: the statistics of a scorer as sums over users, which follow new and forgotten events without the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from interestrec.core.cell_sums import CellSums, PairSums
from interestrec.core.deferred_import import np
from interestrec.core.kept_blocks import keep_blocks
from interestrec.scorers.requests import Events
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional

_DAY = 86_400_000_000  # microseconds
_MOST_HALF_LIVES = 200.0  # that the latest time may move back before sums are counted again


class StorableTally(Protocol):
    """What a scorer is computed from and what follows changes of events, such as Tally."""

    def stored(self) -> Self:
        """Return the tally with all that it consists of computed, as `updated` and `arrays` take it."""

    def updated(self, before: Events, after: Events, log: Callable[[], Events], count: Callable[..., Any]) -> Any:
        """Return the tally after the events of some users have changed; see Tally."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the tally as arrays by name, as safetensors stores them."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore the tally from the result of `arrays`."""


@dataclass(frozen=True)
class Tally:
    """Sums over users, with recencies relative to the latest event; a scorer is computed from them.

    When the latest event is later than before, all contributions shrink by the same factor. This holds if all events
    have a time or none has, as events without a time keep their weight; a mixed log is counted again.
    """

    sums: Mapping[str, PairSums]
    users: int  # with an event
    n_items: int
    timed: int  # events with a time
    untimed: int
    latest: int  # that recencies are relative to, microseconds, store.NO_TIME if no event has a time
    half_life: float | None  # days

    @classmethod
    def of(
        cls, events: Events, half_life: float | None, sums: Mapping[str, PairSums], latest: int | None = None
    ) -> Self:
        """Take the sums of the events that count, with recencies relative to `latest` or to their latest event."""
        from interestrec.corpus.store import NO_TIME

        timed = int(np.count_nonzero(events.time != NO_TIME))
        return cls(
            sums=sums,
            users=int(np.count_nonzero(np.bincount(events.user))),
            n_items=events.n_items,
            timed=timed,
            untimed=len(events.time) - timed,
            latest=int(events.time.max(initial=NO_TIME)) if latest is None else latest,
            half_life=half_life,
        )

    @property
    def all_items(self) -> np.ndarray:
        """int64 [items]"""
        return np.arange(self.n_items, dtype=np.int64)

    def cells(self, name: str) -> CellSums:
        """Return the sums of a name, computed if they are not yet."""
        return self.sums[name].stored()

    def stored(self) -> Self:
        """See StorableTally."""
        return replace(self, sums={name: part.stored() for name, part in self.sums.items()})

    def with_blocks_kept(self, name: str) -> Self:
        """Return the tally with the sums of a name in memory, if they are not too many, for several fits."""
        return replace(self, sums={**self.sums, name: keep_blocks(self.sums[name], self.all_items)})

    def updated(self, before: Events, after: Events, log: Callable[[], Events], count: Callable[..., Tally]) -> Tally:
        """Return the tally after the events of some users have changed.

        The cost is proportional to the events of these users, and to the number of sums, which are copied. The log is
        read in three cases: a half-life is set and only some events have, or had, a time; the latest event was taken
        out; large contributions were taken out of a sum, so that too few digits are left of the others. In the last
        case only the users of these items are counted again.

        Args:
            before: all events of these users that the tally contains.
            after: all events of the same users from now on; users and items may have been appended.
            log: returns the events of all users from now on that count, those with a weight above 0.
            count: counts events, as for this tally; with `latest`, relative to this time.

        Raises:
            ValueError: `before` has contributions that the tally does not contain.
        """
        from interestrec.corpus.store import NO_TIME

        last_before, last_after = (int(events.time.max(initial=NO_TIME)) for events in (before, after))
        latest = max(self.latest, last_after)
        if self.half_life is not None:
            if last_before == self.latest > last_after:
                latest = int(log().time.max(initial=last_after))
            if self.latest - latest > _MOST_HALF_LIVES * self.half_life * _DAY:
                return count(log()).stored()
        removed, added = count(before, latest=latest), count(after, latest=latest)
        numbers = {
            part: getattr(self, part) + getattr(added, part) - getattr(removed, part)
            for part in ("users", "timed", "untimed")
        }
        is_mixed = min(self.timed, self.untimed) > 0 or min(numbers["timed"], numbers["untimed"]) > 0
        if self.half_life is not None and is_mixed:
            return count(log()).stored()
        own = self._relative_to(latest)
        sums = {
            name: own.cells(name).changed(part.change_from(removed.sums[name])) for name, part in added.sums.items()
        }
        merged = replace(own, sums=sums, n_items=after.n_items, **numbers)
        return merged._with_lost_digits(log, count)

    def _relative_to(self, latest: int) -> Self:
        """Return the tally with recencies relative to another latest time."""
        from interestrec.corpus.store import NO_TIME

        if self.half_life is None or NO_TIME in (self.latest, latest):
            return replace(self, latest=latest)
        factor = 2.0 ** (-(latest - self.latest) / _DAY / self.half_life)
        sums = {name: part.stored().scaled(factor**part.power) for name, part in self.sums.items()}
        return replace(self, sums=sums, latest=latest)

    def _with_lost_digits(self, log: Callable[[], Events], count: Callable[..., Tally]) -> Self:
        """Count the users again that contribute to sums without enough digits."""
        sums = {name: part.stored() for name, part in self.sums.items()}
        lost = [part.lost_items for part in sums.values()]
        if not any(len(item) for item, _ in lost):
            return self
        events = log()
        frequency = np.bincount(events.item, minlength=self.n_items)
        rarer = [np.where(frequency[a] <= frequency[b], a, b) for a, b in lost]
        of_rarer = np.isin(events.item, np.concatenate(rarer))
        users = np.isin(events.user, events.user[of_rarer])
        again = count(events.rows(users), latest=self.latest).stored()
        return replace(self, sums={name: part.recounted(again.cells(name)) for name, part in sums.items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableTally."""
        numbers = {name: np.array(getattr(self, name)) for name in _NUMBERS}
        sums = [self.cells(name).arrays(f"sums.{name}") for name in self.sums]
        return {**numbers, "half_life": pack_optional(self.half_life)} | {
            k: v for part in sums for k, v in part.items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableTally."""
        names = [name.removeprefix("sums.").removesuffix(".cell") for name in arrays if name.endswith(".cell")]
        return cls(
            sums={name: CellSums.from_arrays(f"sums.{name}", arrays) for name in names},
            half_life=unpack_optional(arrays["half_life"]),
            **{name: int(arrays[name]) for name in _NUMBERS},
        )


_NUMBERS = ("users", "n_items", "timed", "untimed", "latest")
