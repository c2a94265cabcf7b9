"""The requests of a window: who asks, with the events that the decision that answers does not have yet."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files
from interestrec.learning.replay_policy import moment_text
from interestrec.learning.replay_windows import LoggedEvents


@dataclass(frozen=True)
class KnownNames:
    """What a decision has a name for."""

    items: frozenset[str]
    kinds: frozenset[str]  # of events

    @classmethod
    def of(cls, decision: Path) -> "KnownNames":
        """Read the names of a decision's log."""
        log = decision / artifact_files.LOG
        items = files.read_parquet(log / artifact_files.ITEMS, columns=["item_id"])["item_id"]
        kinds = files.read_parquet(log / artifact_files.TIMELINES, columns=["event"])["event"].cast(pa.string())
        return cls(frozenset(items.to_pylist()), frozenset(pc.unique(kinds).to_pylist()))


class ReplayLog:
    """The whole log of a replay, from which requests and truths are taken."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.events = LoggedEvents.of(corpus)
        self.user_id: pa.Array = corpus.users["user_id"].combine_chunks()
        item_id = corpus.items["item_id"].to_pylist()
        self.item_row: Mapping[str, int] = {name: row for row, name in enumerate(item_id)}
        self._item_id = item_id
        described = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event", "value"])
        rows = pa.array(self.events.row)
        self._kind = described["event"].cast(pa.string()).take(rows).to_pylist()
        self._value = described["value"].fill_null(np.nan).to_numpy()[self.events.row]
        self._offsets = np.searchsorted(self.events.user, np.arange(corpus.users.num_rows + 1))

    def new_events(self, user: int, since: int, until: int, known: KnownNames) -> tuple[list[str], int]:
        """Return a user's events in a period, in the notation of requests, and the number of those left out.

        Events of items, or of a kind, that the decision has no name for cannot be told to it.
        """
        first, last = self._offsets[user], self._offsets[user + 1]
        first, last = first + np.searchsorted(self.events.time[first:last], [since, until])
        told = []
        for row in range(first, last):
            item, kind, value = self._item_id[self.events.item[row]], self._kind[row], float(self._value[row])
            if item in known.items and kind in known.kinds:
                amount = "" if np.isnan(value) else f"={value!r}"
                told.append(f"{item}:{kind}{amount}@{moment_text(int(self.events.time[row]))}")
        return told, int(last - first) - len(told)

    def request_lines(
        self, users: np.ndarray, fitted: int, at: int, known: KnownNames
    ) -> Iterator[tuple[str, int, int]]:
        """Yield a request per user as a line of JSON, the number of its new events, and of those left out.

        Args:
            users: int64, rows of the log.
            fitted: time before which the decision knows everything, microseconds.
            at: time of the requests, microseconds.
        """
        for user, name in zip(users.tolist(), self.user_id.take(pa.array(users)).to_pylist(), strict=True):
            told, left_out = self.new_events(user, fitted, at, known)
            document = {"user": name, "new_events": told, "unknown": "report"}
            yield json.dumps(document, ensure_ascii=False), len(told), left_out
