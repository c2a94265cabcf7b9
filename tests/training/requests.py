"""Timelines, examples, moments and builders of batches for tests."""

from typing import Any

import numpy as np

from interestrec.corpus.counters import EventCounters
from interestrec.corpus.counts_at_times import CountsAtTimes
from interestrec.corpus.moments import Moments
from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.training.batches import BatchBuilder
from interestrec.training.examples import Examples


def timeline(item: Any, intensity: Any = None, time: Any = None) -> Timelines:
    """Return the events of one user, all of train; of intensity 1 and without a time unless they are given."""
    n = len(item)
    return Timelines(
        offsets=np.array([0, n]),
        user=np.zeros(n, np.int32),
        item=np.array(item, np.int32),
        time=np.full(n, NO_TIME) if time is None else np.asarray(time, np.int64),
        intensity=np.ones(n, np.float32) if intensity is None else np.array(intensity, np.float32),
        split=np.zeros(n, np.int8),
    )


def requests(*lists: list[int], **changes: Any) -> Examples:
    """Return examples of user 0 with these candidates, all of intensity 1, of events without a history.

    Args:
        changes: fields of Examples, instead of these.
    """
    n = len(lists)
    item = np.concatenate([np.zeros(0, np.int32), *lists]).astype(np.int32)
    fields: dict[str, Any] = {
        "start": np.zeros(n, np.int64),
        "end": np.zeros(n, np.int64),
        "offsets": np.concatenate([[0], np.cumsum([len(items) for items in lists])]).astype(np.int64),
        "item": item,
        "label": np.ones(len(item), np.float32),
        "position": np.zeros(len(item), np.int32),
        "sampled": np.ones(n, bool),
        "row": np.arange(n),
        "user": np.zeros(n, np.int32),
        "time": np.full(n, NO_TIME),
    }
    return Examples(**{**fields, **{name: np.asarray(value) for name, value in changes.items()}})


def moments_of(events: Timelines, items: int, users: int = 1) -> Moments:
    """Return the moments where all events of the timelines count."""
    counted = (events.item, events.time, items)
    return Moments(
        EventCounters.of(*counted),
        CountsAtTimes.of(*counted),
        EventCounters.of(events.user, events.time, users),
        np.full(items, NO_TIME),
    )


def builder(
    events: Timelines, items: int, max_history: int = 50, repeats: bool = False, relevant_from: float = 1e-9
) -> BatchBuilder:
    """Return a builder with `moments_of` the events."""
    return BatchBuilder(events, moments_of(events, items), max_history, relevant_from, repeats)
