"""Event logs by column mapping: tables of events, and items from a separate table or from the rows of events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from interestrec.columns.column_sql import id_expression, time_expression
from interestrec.columns.row_filters import RowCheck, filter_checks, leave_out, mapped_columns
from interestrec.columns.table_settings import EventColumns, EventTable, EventTables, ItemColumns, ItemTable, UserTable
from interestrec.core.errors import VALUE, ConfigError
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.item_tables import item_expressions, read_items
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import identifier, require_column, scan


class EventsData(DataSettings):
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
        if isinstance(values, dict) and values.get("items") is None:
            raise ValueError(
                "'items' is missing; add the table of items, or, where there is none, name the files of data.events in "
                "it with `columns: {item: ITEM, title: [ITEM]}`, by which ids stand for titles"
            )
        return values

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        users = self.users.files if self.users else []
        return [*(name for table in self.events for name in table.files), *self.items.files, *users]


def read(log: RawLog, data: EventsData) -> None:
    """Fill `items`, `events` and `users`.

    Where `data.items` names the files of an events table, its rows describe the items as well.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: `data.items` names the files of an events table but other filters or another layout.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    items = data.items
    shared = [table for table in data.events if table.files == items.files]
    if shared and (items.where or items.contradicts(shared[0])):
        raise ConfigError(
            "data.items names the same files as data.events, so it cannot set other `where`, `delimiter` or keys of "
            "the layout; set them under data.events only"
        )
    for table in data.events:
        for path in expand_patterns(data.root, table.files):
            _read_events(log, path, table, items.columns if table in shared else None)
    if not shared:
        for path in expand_patterns(data.root, items.files):
            read_items(log, path, items)
    if data.users is not None:
        for path in expand_patterns(data.root, data.users.files):
            read_users(log, path, data.users)
    log.settle_bad_rows(data.max_bad_rows)


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
