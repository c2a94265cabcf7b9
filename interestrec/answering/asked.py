"""Asked: requests to a recommender, and what is wanted of their lists."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interestrec.answering.given_history import GivenEvents
from interestrec.core import ragged
from interestrec.scorers.requests import Requests
from interestrec.scoring.list_limits import ItemChoice


@dataclass(frozen=True)
class Asked:
    """Requests, with the kinds of their events, and what is wanted: of all alike but for the choices of items."""

    requests: Requests
    kind: np.ndarray  # int16 [total], position in `EventGrades.kinds`, −1 without a kind
    k: int
    exclude: frozenset[int] | None = None  # kinds whose items are left out; None: by `rank.rules.seen`
    permitted: np.ndarray | None = None  # bool [items]; None: all that the rules permit
    value: np.ndarray | None = None  # float64 [total], values of the events, NaN without one; None: they are not known
    choices: Sequence[ItemChoice | None] | None = None  # of each request; None: none has any

    @classmethod
    def of_given(cls, user: np.ndarray, histories: list[GivenEvents], at: np.ndarray, k: int) -> "Asked":
        """Return requests with given histories.

        Args:
            user: int32 [requests], NOBODY for people who are not in the log.
            at: int64 [requests], microseconds.
        """
        parts = {
            name: np.concatenate([getattr(history, name) for history in histories])
            for name in ("item", "intensity", "time", "kind", "value")
        }
        offsets = ragged.from_lengths(np.array([len(history.item) for history in histories]))
        requests = Requests(user, offsets, parts["item"], parts["intensity"], parts["time"], at)
        return cls(requests, parts["kind"], k, value=parts["value"])

    def with_options(self, exclude: frozenset[int] | None, permitted: np.ndarray | None) -> "Asked":
        """Return the same requests with other options; arguments are the fields."""
        return replace(self, exclude=exclude, permitted=permitted)

    def block(self, start: int, stop: int) -> "Asked":
        """Return the requests `start` to `stop`, exclusive."""
        rows = slice(self.requests.offsets[start], self.requests.offsets[min(stop, len(self.requests))])
        value = None if self.value is None else self.value[rows]
        choices = None if self.choices is None else self.choices[start:stop]
        return replace(
            self, requests=self.requests.block(start, stop), kind=self.kind[rows], value=value, choices=choices
        )

    def rows(self, chosen: np.ndarray) -> "Asked":
        """Return some requests, int64 [chosen], in this order."""
        _, entries = ragged.take(self.requests.offsets, chosen)
        value = None if self.value is None else self.value[entries]
        choices = None if self.choices is None else [self.choices[row] for row in chosen]
        return replace(self, requests=self.requests.rows(chosen), kind=self.kind[entries], value=value, choices=choices)
