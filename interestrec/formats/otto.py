"""OTTO's sessions: a line per session with its clicks, carts and orders as nested entries; no texts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interestrec.columns.table_settings import EventColumns, EventTable, ItemColumns, ItemTable
from interestrec.formats.table_data import LogTables, TableData
from interestrec.rawfiles.text_layout import TextLayout

_SESSIONS = TextLayout(unnest=["events"])
_TYPES = {"clicks": "click", "carts": "cart", "orders": "order"}


class OttoData(TableData):
    """OTTO: events are clicks, carts and orders; a session stands for its user."""

    format: Literal["otto"]
    """Layout of the raw files: `otto`. Events are of type `click`, `cart` and `order`; items have ids only."""
    sessions: list[str] = Field(default=["otto-recsys-train.jsonl"], min_length=1)
    """Names or patterns of the files of sessions."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        layout = _SESSIONS.model_dump()
        columns = EventColumns(session="session", item="events.aid", time="events.ts", event="events.type")
        events = EventTable(files=self.sessions, columns=columns, event_types=_TYPES, time_unit="ms", **layout)
        items = ItemColumns(item="events.aid", title=["events.aid"])
        return LogTables([events], [ItemTable(files=self.sessions, columns=items, **layout)])
