"""Event logs by column mapping: tables of events, and items from a separate table or from the rows of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from interestrec.columns.id_notations import AS_READ, IdNotation, IdSpelling
from interestrec.columns.landed_tables import LandedTable, attribute_keys, column_keys, land_table
from interestrec.columns.number_notations import NumberNotation
from interestrec.columns.row_checks import RowCheck
from interestrec.columns.row_filters import TableFilter
from interestrec.columns.table_settings import EventTable, EventTables, ItemTable, UserTable
from interestrec.columns.text_values import single_value_checks
from interestrec.columns.time_notations import TimeNotation
from interestrec.core.choices import most_similar
from interestrec.core.errors import VALUE, ConfigError
from interestrec.formats.item_properties import describe_items, read_properties
from interestrec.formats.item_tables import ItemReader, read_items
from interestrec.formats.table_data import LogTables, TableData
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import identifier
from interestrec.rawfiles.text_layout import TextLayout


class EventsData(TableData):
    """An event log by column mapping; items come from a separate table or from the rows of events."""

    format: Literal["events"]
    """Layout of the raw files: `events`, tables whose columns the configuration names."""
    events: EventTables
    """The table of events, or a list of tables whose columns differ."""
    items: ItemTable
    """The table of items. Where the rows of events describe their items, name the same files as under `events`."""
    users: UserTable | None = None
    """A table of user attributes that a report may slice by; `null` = there is none."""

    @model_validator(mode="before")
    @classmethod
    def _require_items(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("items") is not None:
            return values
        if most_similar("items", values.keys() - cls.model_fields.keys()) is None:  # else it is refused as unknown
            raise ValueError(
                "'items' is missing; add the table of items, or, where there is none, name the files of data.events in "
                "it with `columns: {item: ITEM, title: [ITEM]}`, by which ids stand for titles"
            )
        return values

    @property
    def tables(self) -> LogTables:
        """The tables that the configuration names."""
        return LogTables(self.events, [self.items], self.users)

    def files_of_update(self, events: Path, items: Path | None) -> dict[str, Any] | None:
        """See DataSettings; where the rows of events describe their items, the new rows describe the new ones."""
        if len(self.events) != 1:
            return None
        (table,) = self.events
        of_items = items or (events if self.items.files == table.files else None)
        described = self.items.model_copy(update={"files": [str(of_items)]}) if of_items else self.items
        return {"events": [table.model_copy(update={"files": [str(events)]})], "items": described}


def read(log: RawLog, data: EventsData) -> None:
    """Fill `items`, `events` and `users`.

    Where `data.items` names the files of an events table, its rows describe the items as well.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: `data.items` names the files of an events table but reads them differently.
        DataError: a column is missing or cannot be decided, a filter keeps no row, or more rows are malformed than
            tolerated.
    """
    shared = [table for table in data.events if table.files == data.items.files]
    if shared and data.items.properties is None:
        _require_same_layout(data.items, shared[0])
    read_preset(log, data)


def read_preset(log: RawLog, data: TableData) -> None:
    """Fill `items`, `events` and `users` with the tables of a format whose columns are known.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing or cannot be decided, or more rows are malformed than tolerated.
    """
    read_tables(log, data, data.tables)
    log.settle_bad_rows(data.max_bad_rows)


def read_tables(log: RawLog, data: TableData, tables: LogTables) -> None:
    """Fill `items`, `events` and `users` with the rows of tables; bad rows are not settled yet.

    Where a table of items names the files of an events table, the rows of events describe the items as well.

    Args:
        data: says where the files are and how ids are spelled.
        tables: the tables of `data`, or some of them.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    # Messages name the keys of `events` only where the configuration has them.
    key = "data." if data.format == "events" else f"format {data.format}: "
    described = {tuple(table.files): table for table in tables.items if table.properties is None}
    for position, events in enumerate(tables.events):
        paths = expand_patterns(data.root, events.files)
        about = described.get(tuple(events.files))
        place = f"{key}events.{position}" if len(tables.events) > 1 else f"{key}events"
        read_events(log, paths, events, about, data.ids, data.user_ids, place)
    event_files = [events.files for events in tables.events]
    for items in tables.items:
        if items.properties is not None:
            describe_items(log, items, read_properties(log, data, items, items.properties))
        elif items.files not in event_files:
            read_items(log, expand_patterns(data.root, items.files), items, data.ids, f"{key}items")
    if tables.users is not None:
        paths = expand_patterns(data.root, tables.users.files)
        read_users(log, paths, tables.users, data.user_ids, f"{key}users")


def _require_same_layout(items: ItemTable, events: EventTable) -> None:
    given = [name for name in TextLayout.model_fields if name in items.model_fields_set]
    differing = [name for name in given if getattr(items, name) != getattr(events, name)]
    if items.where or differing:
        raise ConfigError(
            "data.items names the same files as data.events, so it cannot set other "
            f"{' or '.join(f'`{name}`' for name in ['where', *differing])}; set them under data.events only"
        )


def read_events(
    log: RawLog,
    paths: Sequence[Path],
    events: EventTable,
    items: ItemTable | None = None,
    ids: IdSpelling = AS_READ,
    user_ids: IdSpelling = AS_READ,
    key: str = "data.events",
) -> None:
    """Append the rows of a table of events.

    Args:
        paths: all files of the table.
        items: the table of items that its rows are as well; None = they describe no items.
        ids, user_ids: how the ids of items and of users are spelled in the log.
        key: configuration key of the table, for messages.

    Raises:
        InputMissingError, DataError: a file or column is missing; a column or filter cannot be applied.
    """
    keys = column_keys(events.columns, key, events.where)
    if items is not None:
        keys = attribute_keys(items.attributes, "data.items") | column_keys(items.columns, "data.items") | keys
    table = land_table(log, paths, keys, events, key)
    reader = EventReader(table, events, ids, user_ids)
    item_reader = None
    if items is not None:
        item_reader = ItemReader(table.read_as(items, "data.items"), items.columns, items.attributes, ids)
    row_filter = TableFilter(table, events.where, events.columns.time)
    for file in table.take_files():
        of_items = item_reader.checks(file.types, file.path) if item_reader is not None else []
        rows = row_filter.select(file, [*reader.checks(file.types, file.path), *of_items])
        reader.add_events(rows, file.types)
        if item_reader is not None:
            item_reader.count_unreadable(rows, file.types)
            log.add_items(rows, **item_reader.expressions(file.types), from_events=True)
    row_filter.require_rows()


class EventReader:
    """Reads events from the columns of a table, whose notations are decided over all its files.

    Args:
        table: a table with the columns of the mapping.
        events: which column means what.
        ids, user_ids: how the ids of items and of users are spelled in the log.
    """

    def __init__(self, table: LandedTable, events: EventTable, ids: IdSpelling, user_ids: IdSpelling) -> None:
        self.log, self.events, self.key = table.log, events, table.key
        mapping = events.columns
        self.item: IdNotation = table.id(mapping.item, ids)
        self.user: IdNotation | None = table.id(mapping.user, user_ids) if mapping.user is not None else None
        self.session: IdNotation | None = table.id(mapping.session) if mapping.session is not None else None
        self.time: TimeNotation | None = table.time(mapping.time) if mapping.time is not None else None
        self.value: NumberNotation | None = table.number(mapping.value) if mapping.value is not None else None

    def add_events(self, rows: str, types: Mapping[str, str]) -> None:
        """Append the rows of a relation whose columns have these types."""
        self.log.add_events(
            rows,
            user=self._user(types),
            item=self._item(types),
            time=self.time.expression(types[self.time.column.name]) if self.time else "CAST(NULL AS TIMESTAMP)",
            event=self._event_type(),
            value=self.value.expression(types[self.value.column.name]) if self.value else "CAST(NULL AS DOUBLE)",
        )

    def checks(self, types: Mapping[str, str], path: Path) -> list[RowCheck]:
        """Return the checks of rows of a file that are no events.

        Raises:
            DataError: a column has lists or objects instead of single values.
        """
        mapping, file = self.events.columns, path.name
        no_id = f"{self._user(types)} IS NULL OR {self._item(types)} IS NULL"
        checks = [RowCheck("events of nobody", no_id, f"{file}: the user or the item is empty")]
        for role, meaning in {"user": "id", "session": "id", "item": "id", "event": "type"}.items():
            if (column := getattr(mapping, role)) is not None:
                checks += single_value_checks(types, column, path, f"{self.key}.columns.{role}", meaning)
        if mapping.event is not None:
            checks.append(RowCheck("", f"{identifier(mapping.event)} IS NULL", "the event type is empty"))
        if self.time is not None:
            sql_type = types[self.time.column.name]
            raw = self.time.column.text(sql_type)
            checks.append(RowCheck("", self.time.unreadable(sql_type), self.time.reason, raw))
        if self.value is not None:
            sql_type = types[self.value.column.name]
            raw, unreadable = self.value.column.text(sql_type), self.value.unreadable(sql_type)
            checks.append(RowCheck("", unreadable, f"the value '{VALUE}' is not a number", raw))
        if self.events.event_types is not None and mapping.event is not None:
            names = ", ".join(sql_string(name) for name in self.events.event_types)
            event_type = f"CAST({identifier(mapping.event)} AS VARCHAR)"
            reason = f"{file}: event types that {self.key}.event_types does not list"
            checks.append(RowCheck("unlisted event types", f"{event_type} NOT IN ({names})", reason, event_type))
        return checks

    def _item(self, types: Mapping[str, str]) -> str:
        return self.item.expression(types[self.item.column.name])

    def _user(self, types: Mapping[str, str]) -> str:
        """Return the SQL of the user's id; the session identifies a visitor without an account."""
        ids = [] if self.user is None else [self.user.expression(types[self.user.column.name])]
        if self.session is not None:
            ids.append(f"'session:' || {self.session.expression(types[self.session.column.name])}")
        return f"coalesce({', '.join(ids)})" if len(ids) > 1 else ids[0]

    def _event_type(self) -> str:
        """Return the SQL of the event type under the name that the configuration uses."""
        events = self.events
        if events.columns.event is None:
            return sql_string(events.event)
        raw = f"CAST({identifier(events.columns.event)} AS VARCHAR)"
        if events.event_types is None:
            return raw
        cases = " ".join(
            f"WHEN {sql_string(raw_name)} THEN {sql_string(name)}" for raw_name, name in events.event_types.items()
        )
        return f"CASE {raw} {cases} END"
