"""Feedback of a journal as raw files of the format `events`, which `update` reads."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from interestrec.columns.table_settings import (
    EventColumns,
    EventTable,
    ItemColumns,
    ItemTable,
)
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.events import EventsData
from interestrec.serving.feedback_journal import EVENT_FILE, ITEM_FILE, read_records

_EVENTS = pa.schema(
    {
        "user_id": pa.string(),
        "item_id": pa.string(),
        "time": pa.string(),
        "event": pa.string(),
        "value": pa.float64(),
    }
)
_ITEMS = pa.schema(
    {
        "item_id": pa.string(),
        "title": pa.string(),
        "text": pa.string(),
        "category": pa.string(),
        "price": pa.float64(),
        "published": pa.string(),
    }
)


@dataclass(frozen=True)
class UnreadFeedback:
    """What a journal has that a decision does not know."""

    new_events: list[dict[str, Any]]  # records that came after those that the decision knows
    readable: list[dict[str, Any]]  # those of them whose item is known, and earlier ones whose item was unknown so far
    items: dict[str, dict[str, Any]]  # the latest description of each item, by id
    new_items: frozenset[str]  # ids of items that the decision does not know

    @classmethod
    def read(cls, directory: Path, known_records: int, known_items: Collection[str]) -> "UnreadFeedback":
        """Read a journal.

        Args:
            directory: of the journal.
            known_records: number of records of events that the decision knows, from the first one.
            known_items: ids of its items.

        Raises:
            StorageError, ArtifactError: see `read_records`.
        """
        events = read_records(directory / EVENT_FILE)
        items = {record["item_id"]: record for record in read_records(directory / ITEM_FILE)}
        new_items = frozenset(items.keys() - known_items)
        new_events, known = events[known_records:], new_items | frozenset(known_items)
        readable = [record for record in events[:known_records] if record.get("item_id") in new_items]
        readable += [record for record in new_events if record.get("item_id") in known]  # others may be forgotten
        return cls(new_events, readable, items, new_items)

    def write(self, directory: Path, data: DataSettings, timed: bool) -> EventsData | None:
        """Write tables into a new directory and return the settings that read them, None if there is nothing to read.

        Args:
            data: settings of the log that the feedback came after.
            timed: whether events of that log have times.
        """
        if not self.readable and not self.new_items:
            return None
        directory.mkdir()
        named = data.kept_columns("items").names
        event_rows = [{name: record.get(name) for name in _EVENTS.names} for record in self.readable]
        item_rows = [{name: record.get(name) for name in _ITEMS.names} for record in self.items.values()]
        item_table = pa.Table.from_pylist(item_rows, _ITEMS)
        for name in named:
            item_table = item_table.append_column(
                name, _attribute([record.get(name) for record in self.items.values()])
            )
        pq.write_table(pa.Table.from_pylist(event_rows, _EVENTS), directory / "events.parquet")
        pq.write_table(item_table, directory / "items.parquet")
        return EventsData(
            format="events",
            root=directory,
            relevant_at=data.relevant_at,
            max_items_without_text=1.0,
            events=[
                EventTable(
                    files=["events.parquet"],
                    columns=EventColumns(
                        user="user_id", item="item_id", time="time" if timed else None, event="event", value="value"
                    ),
                )
            ],
            items=ItemTable(
                files=["items.parquet"],
                columns=ItemColumns(
                    item="item_id",
                    title=["title"],
                    text=["text"],
                    category="category",
                    price="price",
                    published="published",
                ),
                attributes=named,
            ),
        )


def _attribute(values: list[Any]) -> pa.Array:
    """Return a column of values of one type; those of several types are texts."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.array(values, pa.string())
    return pa.array(values if len(kinds) == 1 else [None if value is None else str(value) for value in values])
