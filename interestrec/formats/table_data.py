"""Formats that are tables of events, items and users: the base of their settings sections."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from interestrec.columns.table_settings import EventTable, ItemTable, UserColumns, UserTable
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.text_layout import BY_SUFFIX, TextLayout


@dataclass(frozen=True)
class LogTables:
    """The tables of a log, as the generic reader takes them."""

    events: list[EventTable]
    items: list[ItemTable]  # each attribute of an item is its most frequent value over all of them
    users: UserTable | None = None

    @property
    def names(self) -> list[str]:
        """Names and patterns of all files of the tables, relative to `data.root`."""
        tables = [*self.events, *self.items, *([self.users] if self.users else [])]
        return list(dict.fromkeys(name for table in tables for name in table.files))


class TableData(SpelledData):
    """A format that is tables: by the configuration (`events`), or with known columns, a preset such as `yelp`."""

    @property
    @abstractmethod
    def tables(self) -> LogTables:
        """The tables and the meaning of their columns."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        return self.tables.names


def user_table(file: str, user: str, attributes: list[str], layout: TextLayout = BY_SUFFIX) -> UserTable | None:
    """Return the table of users of a preset, None where no attribute is wanted: the file then need not be there.

    Args:
        user: column with the user's id.
    """
    if not attributes:
        return None
    columns = UserColumns(user=user)
    return UserTable(files=[file], columns=columns, attributes=attributes, **layout.model_dump())
