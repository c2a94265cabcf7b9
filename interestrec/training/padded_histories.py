"""Histories as padded arrays: the most recent events of ranges of timeline rows, and how long ago they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.core import ragged
from interestrec.core.deferred_import import np
from interestrec.corpus.no_time import NO_TIME

if TYPE_CHECKING:
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples

_DAY = 86_400_000_000  # microseconds


def example_histories(examples: Examples, timelines: Timelines, max_history: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `histories` of examples; a document is a history of one item with intensity 1."""
    if examples.document is None:
        return histories(examples.start, examples.end, timelines, max_history, examples.omitted)
    document = examples.document[:, None]
    return np.maximum(document, 0).astype(np.int32), (document >= 0).astype(np.float32)


def histories(
    start: np.ndarray, end: np.ndarray, timelines: Timelines, max_history: int, omitted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the last `max_history` events of each range of timeline rows, oldest first.

    Args:
        omitted: int64 [ranges], a row within each range that is left out; -1, None: none is.

    Returns:
        items int32 and intensities float32, both [ranges, longest]; padding is item 0 with intensity 0.
    """
    begin = np.maximum(start, end - max_history)
    if omitted is not None:  # the row before is read in its place
        begin = np.maximum(start, begin - (omitted >= begin))
        omitted = np.where(omitted >= begin, omitted, end)
        end = end - (omitted < end)
    length = max(int((end - begin).max(initial=0)), 1)
    source, inside = ragged.padded(begin, end, length)
    if omitted is not None:
        source = source + (inside & (source >= omitted[:, None]))
    if len(timelines.item) == 0:
        return np.zeros(inside.shape, np.int32), np.zeros(inside.shape, np.float32)
    items = np.where(inside, timelines.item[source], 0).astype(np.int32)
    return items, np.where(inside, timelines.intensity[source], 0.0).astype(np.float32)


def elapsed(event: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return log(1 + days) from events to requests, float32; 0 where a time is unknown or the event is later.

    Args:
        event, now: int64, microseconds or NO_TIME, of one shape or broadcast.
    """
    known = (event != NO_TIME) & (now != NO_TIME)
    days = np.where(known, now, 0) - np.where(known, event, 0)
    return np.log1p(np.maximum(days, 0) / _DAY).astype(np.float32)
