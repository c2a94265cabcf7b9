"""Event logs by column mapping: tables of events, and items from a separate table or from the rows of events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from interestrec.columns.column_sql import id_expression, time_expression
from interestrec.columns.row_filters import RowCheck, filter_checks, leave_out, mapped_columns
from interestrec.columns.table_settings import EventColumns, EventTable, EventTables, ItemColumns, ItemTable, UserTable
from interestrec.columns.text_values import single_value_checks
from interestrec.core.errors import VALUE, ConfigError
from interestrec.formats.item_properties import describe_items, read_properties
from interestrec.formats.item_tables import item_expressions, item_text_checks, read_items
from interestrec.formats.table_data import LogTables, TableData
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import identifier, require_column, scan


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

    @property
    def tables(self) -> LogTables:
        """The tables that the configuration names."""
        return LogTables(self.events, [self.items], self.users)


def read(log: RawLog, data: EventsData) -> None:
    """Fill `items`, `events` and `users`.

    Where `data.items` names the files of an events table, its rows describe the items as well.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: `data.items` names the files of an events table but other filters or another layout.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    items = data.items
    shared = [table for table in data.events if table.files == items.files and items.properties is None]
    if shared and (items.where or items.contradicts(shared[0])):
        raise ConfigError(
            "data.items names the same files as data.events, so it cannot set other `where`, `delimiter` or keys of "
            "the layout; set them under data.events only"
        )
    read_preset(log, data)


def read_preset(log: RawLog, data: TableData) -> None:
    """Fill `items`, `events` and `users` with the tables of a format whose columns are known.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    read_tables(log, data.root, data.tables)
    log.settle_bad_rows(data.max_bad_rows)


def read_tables(log: RawLog, root: Path, tables: LogTables) -> None:
    """Fill `items`, `events` and `users` with the rows of tables; bad rows are not settled yet.

    Where a table of items names the files of an events table, the rows of events describe the items as well.

    Args:
        root: directory that the names of files are relative to.

    Raises:
        InputMissingError, DataError: a file or a column is missing.
    """
    described = {tuple(table.files): table.columns for table in tables.items if table.properties is None}
    for table in tables.events:
        for path in expand_patterns(root, table.files):
            _read_events(log, path, table, described.get(tuple(table.files)))
    event_files = [table.files for table in tables.events]
    for items in tables.items:
        if items.properties is not None:
            describe_items(log, items, read_properties(log, root, items, items.properties))
        elif items.files not in event_files:
            for path in expand_patterns(root, items.files):
                read_items(log, path, items)
    if tables.users is not None:
        for path in expand_patterns(root, tables.users.files):
            read_users(log, path, tables.users)


def _read_events(log: RawLog, path: Path, events: EventTable, items: ItemColumns | None) -> None:
    mapping = events.columns
    column_names = [*mapped_columns(mapping, events.where), *(mapped_columns(items) if items else [])]
    for columns in scan(log, path, list(dict.fromkeys(column_names)), events):
        for key, column in mapping:
            if column is not None:
                require_column(list(columns), column, path, f"data.events.columns.{key}")
        checks = [
            *filter_checks(columns, path, "data.events.where", events.where),
            *_event_checks(columns, path, events),
            *(item_text_checks(columns, path, items) if items else []),
        ]
        rows = leave_out(log, checks)
        log.add_events(
            rows,
            user=_user(columns, mapping),
            item=id_expression(columns, mapping.item),
            time=time_expression(columns, mapping.time, events.time_unit),
            event=_event_type(events),
            value=_value(mapping),
        )
        if items is not None:
            log.add_items(rows, **item_expressions(columns, path, items), from_events=True)


def _event_checks(columns: Mapping[str, str], path: Path, events: EventTable) -> list[RowCheck]:
    mapping, unit = events.columns, events.time_unit
    no_id = f"{_user(columns, mapping)} IS NULL OR {id_expression(columns, mapping.item)} IS NULL"
    checks = [RowCheck("events of nobody", no_id, f"{path.name}: the user or the item is empty")]
    for key, meaning in {"user": "id", "session": "id", "item": "id", "event": "type"}.items():
        if (column := getattr(mapping, key)) is not None:
            checks += single_value_checks(columns, column, path, f"data.events.columns.{key}", meaning)
    if mapping.event is not None:
        checks.append(RowCheck("", f"{identifier(mapping.event)} IS NULL", "the event type is empty"))
    # A typed column can be neither unreadable nor empty text, so it needs no cast of every row.
    if mapping.time is not None and not columns[mapping.time].startswith(("TIMESTAMP", "DATE")):
        raw = f"CAST({identifier(mapping.time)} AS VARCHAR)"
        unreadable = f"{raw} <> '' AND {time_expression(columns, mapping.time, unit)} IS NULL"
        reason = f"the time '{VALUE}' is neither ISO 8601 nor a number of {unit} between 1900 and 2200"
        checks.append(RowCheck("", unreadable, reason, raw))
    if mapping.value is not None:
        raw = f"CAST({identifier(mapping.value)} AS VARCHAR)"
        filled = f"{raw} <> ''" if columns[mapping.value] == "VARCHAR" else f"{identifier(mapping.value)} IS NOT NULL"
        unreadable = f"{filled} AND NOT coalesce(isfinite({_value(mapping)}), false)"
        checks.append(RowCheck("", unreadable, f"the value '{VALUE}' is not a number", raw))
    if events.event_types is not None and mapping.event is not None:
        names = ", ".join(sql_string(name) for name in events.event_types)
        event_type = f"CAST({identifier(mapping.event)} AS VARCHAR)"
        reason = f"{path.name}: event types that data.events.event_types does not list"
        checks.append(RowCheck("unlisted event types", f"{event_type} NOT IN ({names})", reason, event_type))
    return checks


def _user(columns: Mapping[str, str], mapping: EventColumns) -> str:
    """Return the SQL of the user's id; the session identifies a visitor without an account."""
    ids = [id_expression(columns, mapping.user)] if mapping.user is not None else []
    if mapping.session is not None:
        ids.append(f"'session:' || {id_expression(columns, mapping.session)}")
    return f"coalesce({', '.join(ids)})" if len(ids) > 1 else ids[0]


def _value(mapping: EventColumns) -> str:
    if mapping.value is None:
        return "CAST(NULL AS DOUBLE)"
    return f"try_cast({identifier(mapping.value)} AS DOUBLE)"


def _event_type(events: EventTable) -> str:
    """Return the SQL of the event type under the name that the configuration uses."""
    if events.columns.event is None:
        return sql_string(events.event)
    raw = f"CAST({identifier(events.columns.event)} AS VARCHAR)"
    if events.event_types is None:
        return raw
    cases = " ".join(
        f"WHEN {sql_string(raw_name)} THEN {sql_string(name)}" for raw_name, name in events.event_types.items()
    )
    return f"CASE {raw} {cases} END"
