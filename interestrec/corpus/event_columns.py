"""The columns of events that labels of tasks are made of, for rows of timelines and for candidates of impressions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.event_codes import CLICK
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas

SHOWN = "shown"  # the event of a candidate that was shown and ignored
_UNKNOWN = -1


@dataclass(frozen=True)
class LabelColumns:
    """Type, measured value and intensity of events."""

    names: list[str]  # types of events
    event: np.ndarray  # int32 [rows], index into `names`, -1 where unknown, as of entries of logged histories
    value: np.ndarray  # float64 [rows], NaN where nothing was measured
    intensity: np.ndarray  # float32 [rows], NaN where unknown

    def take(self, rows: np.ndarray) -> LabelColumns:
        """Return the columns at `rows`, int64, where -1 gives unknown values."""
        known = rows >= 0
        at = np.maximum(rows, 0)
        return LabelColumns(
            self.names,
            np.where(known, self.event[at], _UNKNOWN).astype(np.int32),
            np.where(known, self.value[at], np.nan),
            np.where(known, self.intensity[at], np.nan).astype(np.float32),
        )


def timeline_columns(corpus: Corpus) -> LabelColumns:
    """Return the columns of all rows of the timelines."""
    table = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event", "value"])
    event = table["event"].cast(pa.string()).combine_chunks().dictionary_encode()
    names: list[str] = event.dictionary.to_pylist()
    codes = event.indices.to_numpy().astype(np.int32)
    if schemas.HISTORY_EVENT in names:
        codes = np.where(codes == names.index(schemas.HISTORY_EVENT), _UNKNOWN, codes).astype(np.int32)
    names += [name for name in (CLICK, SHOWN) if name not in names and not corpus.requests_are_events]
    value = pc.fill_null(table["value"], float("nan")).to_numpy().astype(np.float64)
    return LabelColumns(names, codes, value, corpus.timelines.intensity)


def candidate_columns(corpus: Corpus, events: LabelColumns) -> LabelColumns:
    """Return the columns of all candidates of impressions.

    A request that was made from an event has the columns of that event. A candidate of a shown list has those of the
    event of its user, item, split and time; without one it was `shown`, or is a click of which nothing was measured.

    Args:
        events: of `timeline_columns`.
    """
    impressions = corpus.impressions
    found = events.take(_event_rows(corpus))
    unmatched = found.event < 0
    label = impressions.label
    event = found.event.copy()
    if not corpus.requests_are_events:
        event[unmatched & (label > 0)] = events.names.index(CLICK)
        event[unmatched & (label <= 0)] = events.names.index(SHOWN)
    return LabelColumns(events.names, event, found.value, label)


def _event_rows(corpus: Corpus) -> np.ndarray:
    """Return the row of the timelines of each candidate's event, int64 [candidates], -1 where there is none.

    The last of several equal events counts.
    """
    original = corpus.whole or corpus  # other splits do not change which event a request was made of
    timelines, impressions = original.timelines, original.impressions
    owner = ragged.owner(impressions.offsets)
    rows = np.flatnonzero(~corpus.is_logged_history)
    events = (timelines.user, timelines.item, timelines.time, timelines.split)
    asked = (impressions.user[owner], impressions.item, impressions.time[owner], impressions.split[owner])
    if original.requests_are_events and len(rows) == len(owner):
        by_split = rows[np.argsort(timelines.split[rows], kind="stable")]
        if all(np.array_equal(event[by_split], of) for event, of in zip(events, asked, strict=True)):
            return by_split
    keys = np.stack(
        [np.concatenate([event[rows], of]).astype(np.int64) for event, of in zip(events, asked, strict=True)]
    )
    _, key = np.unique(keys, axis=1, return_inverse=True)
    key = key.reshape(-1)
    last = np.full(int(key.max(initial=-1)) + 1, -1, np.int64)
    last[key[: len(rows)]] = rows
    return last[key[len(rows) :]]
