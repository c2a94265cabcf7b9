"""Event logs by column mapping: one table of events, and items from a table of their own or from the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from interestrec.core.errors import VALUE, ConfigError
from interestrec.formats.column_sql import id_of, time_of
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.item_tables import item_columns, read_items
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import name_of, require, scan
from interestrec.formats.row_filters import RowCheck, columns_of, filter_checks, leave_out
from interestrec.formats.table_settings import EventColumns, EventTable, EventTables, ItemColumns, ItemTable, UserTable
from interestrec.formats.user_tables import read_users


class EventsData(DataSettings):
    """An event log by column mapping; items come from a table of their own or from the event rows."""

    format: Literal["events"]
    """Layout of the raw files: `events`, tables whose columns the configuration names."""
    events: EventTables
    """The table of events, or a list of tables whose columns differ."""
    items: ItemTable
    """The table of items. Where the rows of events describe their items, name the same files as under `events`."""
    users: UserTable | None = None
    """A table of user attributes that a report may slice by; `null` = there is none."""

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        users = self.users.files if self.users else []
        return [*(name for table in self.events for name in table.files), *self.items.files, *users]


def read(log: RawLog, data: EventsData) -> None:
    """Fill `items`, `events` and `users`.

    Items may be described by the rows of an events table: `data.items` then names the same files.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: items from the events' own files have filters of their own.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    items = data.items
    together = [table for table in data.events if table.files == items.files]
    if together and (items.where or items.delimiter != together[0].delimiter):
        raise ConfigError(
            "data.items: `where` and `delimiter` are those of data.events when both name the same files; "
            "give them under data.events only"
        )
    for table in data.events:
        for path in expand_patterns(data.root, table.files):
            _read_events(log, path, table, items.columns if table in together else None)
    if not together:
        for path in expand_patterns(data.root, items.files):
            read_items(log, path, items)
    if data.users is not None:
        for path in expand_patterns(data.root, data.users.files):
            read_users(log, path, data.users)
    log.settle_bad_rows(data.max_bad_rows)


def _read_events(log: RawLog, path: Path, events: EventTable, items: ItemColumns | None) -> None:
    mapping = events.columns
    wanted = [*columns_of(mapping, events.where), *(columns_of(items) if items else [])]
    for columns in scan(log, path, list(dict.fromkeys(wanted)), events.delimiter):
        for key, column in mapping:
            if column is not None:
                require(list(columns), column, path, f"data.events.columns.{key}")
        checks = [
            *filter_checks(columns, path, "data.events.where", events.where),
            *_event_checks(columns, path, events),
        ]
        rows = leave_out(log, checks)
        log.add_events(
            rows,
            user=_user(columns, mapping),
            item=id_of(columns, mapping.item),
            time=time_of(columns, mapping.time, events.time_unit),
            event=_kind(events),
            value=_value(mapping),
        )
        if items is not None:
            log.add_items(rows, **item_columns(columns, path, items), from_events=True)


def _event_checks(columns: Mapping[str, str], path: Path, events: EventTable) -> list[RowCheck]:
    mapping, unit = events.columns, events.time_unit
    nobody = f"{_user(columns, mapping)} IS NULL OR {id_of(columns, mapping.item)} IS NULL"
    checks = [RowCheck("events of nobody", nobody, f"{path.name}: the user or the item is empty")]
    if mapping.event is not None:
        checks.append(RowCheck("", f"{name_of(mapping.event)} IS NULL", "the event type is empty"))
    # A column that has a type already can neither be misread nor hold an empty text: no cast of every row.
    if mapping.time is not None and not columns[mapping.time].startswith(("TIMESTAMP", "DATE")):
        raw = f"CAST({name_of(mapping.time)} AS VARCHAR)"
        unread = f"{raw} <> '' AND {time_of(columns, mapping.time, unit)} IS NULL"
        reason = f"the time '{VALUE}' is neither ISO 8601 nor a number of {unit} between 1900 and 2200"
        checks.append(RowCheck("", unread, reason, raw))
    if mapping.value is not None:
        raw = f"CAST({name_of(mapping.value)} AS VARCHAR)"
        filled = f"{raw} <> ''" if columns[mapping.value] == "VARCHAR" else f"{name_of(mapping.value)} IS NOT NULL"
        unread = f"{filled} AND NOT coalesce(isfinite({_value(mapping)}), false)"
        checks.append(RowCheck("", unread, f"the value '{VALUE}' is not a number", raw))
    if events.event_types is not None and mapping.event is not None:
        names = ", ".join(quoted(name) for name in events.event_types)
        kind = f"CAST({name_of(mapping.event)} AS VARCHAR)"
        reason = f"{path.name}: event types that data.events.event_types does not list"
        checks.append(RowCheck("unlisted event types", f"{kind} NOT IN ({names})", reason, kind))
    return checks


def _user(columns: Mapping[str, str], mapping: EventColumns) -> str:
    """SQL of the user; a visitor without an account is known by the session."""
    known = [id_of(columns, mapping.user)] if mapping.user is not None else []
    if mapping.session is not None:
        known.append(f"'session:' || {id_of(columns, mapping.session)}")
    return f"coalesce({', '.join(known)})" if len(known) > 1 else known[0]


def _value(mapping: EventColumns) -> str:
    if mapping.value is None:
        return "CAST(NULL AS DOUBLE)"
    return f"try_cast({name_of(mapping.value)} AS DOUBLE)"


def _kind(events: EventTable) -> str:
    """SQL of the event type, by the names that the configuration uses."""
    if events.columns.event is None:
        return quoted(events.event)
    raw = f"CAST({name_of(events.columns.event)} AS VARCHAR)"
    if events.event_types is None:
        return raw
    cases = " ".join(f"WHEN {quoted(in_log)} THEN {quoted(name)}" for in_log, name in events.event_types.items())
    return f"CASE {raw} {cases} END"
