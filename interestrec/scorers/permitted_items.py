"""PermittedItems and Excluded: what the lists of all requests, and of single ones, may hold."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np


class PermittedItems:
    """The items that lists may hold, and what breaks ties between them."""

    def __init__(self, items: np.ndarray, tie_order: np.ndarray, wider: PermittedItems | None = None) -> None:
        """
        Args:
            items: bool [items].
            tie_order: [items], distinct; among equal scores the lower value ranks first.
            wider: what these items are a part of.
        """
        self.items = items
        self.tie_order = tie_order
        self._wider = wider
        self._part: tuple[np.ndarray, PermittedItems] | None = None
        # By the identity of the scores: the scores, the items and their costs.
        self._orders: dict[int, tuple[np.ndarray | None, np.ndarray, np.ndarray]] = {}

    def among(self, items: np.ndarray) -> PermittedItems:
        """Return those that are in `items`, bool [items], too; the last one is kept, with its orders."""
        kept = self._part
        if kept is None or kept[0] is not items:
            self._part = kept = items, PermittedItems(self.items & items, self.tie_order, self)
        return kept[1]

    def in_tie_order(self, item: np.ndarray) -> np.ndarray:
        """Return the distinct items of each request in tie order; int64 [requests, most of a request], −1 at the end.

        Args:
            item: int64 [requests, columns], −1 where there is none.
        """
        by_place, place = self._places
        chosen = np.zeros((len(item), len(place)), dtype=bool)
        row, column = np.nonzero(item >= 0)
        chosen[row, place[item[row, column]]] = True
        row, found = np.divmod(np.flatnonzero(chosen), len(place))
        offsets = ragged.from_owner(row, len(item))
        items = np.full((len(item), int(np.diff(offsets).max(initial=0))), -1)
        items[row, ragged.positions(offsets)] = by_place[found]
        return items

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """All items in tie order, and the place of each, int64 [items] both."""
        if self._wider is not None:
            return self._wider._places
        by_place = np.argsort(self.tie_order)
        place = np.empty(len(by_place), np.int64)
        place[by_place] = np.arange(len(by_place))
        return by_place, place

    def order(self, score: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the items by a score of all items, best first, and their costs, the scores' negatives, ascending.

        Orders are kept, because the blocks of requests bring the same arrays.

        Args:
            score: float32 [items]; None: all are 0, so that the order is the tie order.
        """
        kept = self._orders.get(id(score))
        if kept is None or kept[0] is not score:
            self._orders[id(score)] = kept = score, *self._sorted(score)
        return kept[1:]

    def _sorted(self, score: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if self._wider is not None:
            items, cost = self._wider.order(score)
            own = self.items[items]
            return items[own], cost[own]
        items = np.flatnonzero(self.items)
        cost = np.zeros(len(items), np.float32) if score is None else -score[items]
        order = np.lexsort((self.tie_order[items], cost))
        return items[order], cost[order]


class Excluded:
    """Items that the lists of single requests may not hold: ragged int [requests, …]."""

    def __init__(self, offsets: np.ndarray, item: np.ndarray) -> None:
        self.offsets = offsets
        self.item = item

    @classmethod
    def nothing(cls, requests: int) -> Self:
        """No item of any request."""
        return cls(np.zeros(requests + 1, np.int64), np.zeros(0, np.int64))

    @property
    def owner(self) -> np.ndarray:
        """int64 [excluded]: the request of each."""
        return ragged.owner(self.offsets)

    def of(self, row: int) -> np.ndarray:
        """Return the items of one request."""
        return self.item[self.offsets[row] : self.offsets[row + 1]]
