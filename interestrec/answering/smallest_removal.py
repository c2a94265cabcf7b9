"""The smallest set of events whose removal takes an item out of the first places of a list."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb

import numpy as np

# From sets of events: whether the item stays without them, bool [sets], and its score then, float64 [sets].
Judge = Callable[[list[np.ndarray]], tuple[np.ndarray, np.ndarray]]
_BLOCK = 256  # sets that are judged together
_ROUND = 3  # a round of the search beyond removes a third of the events that are removed already


@dataclass(frozen=True)
class SmallestRemoval:
    """A set of events without which the item is no longer listed; verified by a list without them."""

    events: np.ndarray | None  # int64, ascending places in the history; None: no set was found
    proved: bool  # all smaller sets were tried; without a set: all sets were tried
    kept_without_history: bool  # the item stays even with an empty history


def smallest_removal(effect: np.ndarray, judge: Judge, most_sets: int) -> SmallestRemoval:
    """Search the smallest set of events whose removal takes an item out of a list.

    All sets of one event are tried, then all pairs and so on, while the number of sets stays within `most_sets`; the
    first hit is a smallest set. Beyond it, events are removed in rounds until the item is gone, each time those without
    which the score falls furthest, and every event that is not needed is put back.

    Args:
        effect: float64 [events], how much the score falls without each event alone.
        judge: makes the list again without sets of events.
        most_sets: number of sets that the exhaustive search may try.
    """
    n = len(effect)
    order = np.argsort(-effect, kind="stable")
    kept_without_history = bool(judge([np.arange(n)])[0][0])
    tried, size = 0, 0
    while size < n and tried + comb(n, size + 1) <= most_sets:
        size += 1
        tried += comb(n, size)
        found = _first_out(order, size, judge)
        if found is not None:
            return SmallestRemoval(np.sort(found), True, kept_without_history)
    if size == n:
        return SmallestRemoval(None, True, kept_without_history)
    found = _greedy(order, judge)
    if found is None:
        return SmallestRemoval(None, False, kept_without_history)
    found = _pruned(found, effect, judge)
    return SmallestRemoval(np.sort(found), len(found) <= size + 1, kept_without_history)


def _first_out(order: np.ndarray, size: int, judge: Judge) -> np.ndarray | None:
    """Return the first set of `size` events without which the item is gone, those of large effects first."""
    sets = combinations(order.tolist(), size)
    while block := [np.array(events) for events in islice(sets, _BLOCK)]:
        out = np.flatnonzero(~judge(block)[0])
        if len(out):
            return block[out[0]]
    return None


def _greedy(order: np.ndarray, judge: Judge) -> np.ndarray | None:
    """Return events without which the item is gone, each round those without which the score is lowest.

    Args:
        order: int64 [events], of the first round.
    """
    removed = order[:0]
    while len(order):
        count = max(len(removed) // _ROUND, 1)
        sets = [np.append(removed, order[:size]) for size in range(1, count + 1)]
        out = np.flatnonzero(~judge(sets)[0])
        if len(out):
            return sets[out[0]]
        removed, order = np.append(removed, order[:count]), order[count:]
        if len(order):  # which events count most changes with those that are gone
            _, score = judge([np.append(removed, event) for event in order])
            order = order[np.argsort(score, kind="stable")]
    return None


def _pruned(events: np.ndarray, effect: np.ndarray, judge: Judge) -> np.ndarray:
    """Put back the events that are not needed, as many as possible at a time, those of small effects first."""
    pending = events[np.argsort(effect[events], kind="stable")]
    needed = pending[:0]
    while len(pending):
        out = np.flatnonzero(~judge([np.append(needed, pending[count:]) for count in range(1, len(pending) + 1)])[0])
        pending = pending[out[-1] + 1 :] if len(out) else pending
        needed, pending = np.append(needed, pending[:1]), pending[1:]
    return needed
