"""Yambda in its flat layout: Parquet files of listens and feedback without texts (Ploshkin et al. 2025)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interestrec.columns.table_settings import EventColumns, EventTable, ItemColumns, ItemTable
from interestrec.formats.table_data import LogTables, TableData

_EVENT_TYPES = ["listen", "like", "dislike", "unlike", "undislike"]
_VALUE = "played_ratio_pct"  # a whole number of per cent, above 100 where parts were played again; null for feedback


class YambdaData(TableData):
    """Yambda: events are listens, with the played share of the track as their values, and likes and dislikes."""

    format: Literal["yambda"]
    """Layout of the raw files: `yambda`, flat. Nothing describes a track but numbers: its artists and its id."""
    interactions: list[str] = Field(default=["multi_event.parquet"], min_length=1)
    """Names of the files with all types of events in a column `event_type`; or of one type, such as `likes.parquet`,
    where `event` says which."""
    event: Literal["listen", "like", "dislike", "unlike", "undislike"] | None = None
    """Type of all events where the files have no column `event_type`: `listen`, `like`, `dislike`, `unlike` or
    `undislike`; `null` = the files have the column."""
    artists: str | None = "artist_item_mapping.parquet"
    """Name of the file that joins artists to tracks: the artist's number is the category and the title of a track;
    `null` = it is not read."""

    @property
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""
        # Times are seconds since an undisclosed moment, so only their order and distances mean something.
        columns = EventColumns(
            user="uid",
            item="item_id",
            time="timestamp",
            event="event_type" if self.event is None else None,
            value=_VALUE if self.event in (None, "listen") else None,
        )
        types = {name: name for name in _EVENT_TYPES} if self.event is None else None
        events = EventTable(
            files=self.interactions, columns=columns, event=self.event or "event", event_types=types, time_unit="s"
        )
        # Rows of events describe tracks as well: not every track has an artist.
        items = [ItemTable(files=self.interactions, columns=ItemColumns(item="item_id", text=["item_id"]))]
        if self.artists is not None:
            artists = ItemColumns(item="item_id", title=["artist_id"], category="artist_id")
            items.append(ItemTable(files=[self.artists], columns=artists))
        return LogTables([events], items)
