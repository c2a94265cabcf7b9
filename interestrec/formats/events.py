"""Event logs by column mapping: one table of events, and items from a table of their own or from the same rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interestrec.core.errors import ConfigError
from interestrec.formats.column_sql import id_of, time_of
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import name_of, require, scan
from interestrec.formats.row_filters import RowCheck, filter_checks, leave_out, named
from interestrec.formats.user_tables import read_users


def read(
    log: RawLog,
    root: Path,
    max_bad_rows: int,
    merge_items: bool,
    events: list[dict[str, Any]],
    items: dict[str, Any],
    users: dict[str, Any] | None = None,
) -> None:
    """Fill `items`, `events` and `users`; the last arguments are the mappings of the same names under `data`.

    Items may be described by the rows of an events table: `items` then names the same files.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: items from the events' own files have filters of their own.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    together = [table for table in events if table["files"] == items["files"]]
    if together and (items["where"] or items["delimiter"] != together[0]["delimiter"]):
        raise ConfigError(
            "data.items: `where` and `delimiter` are those of data.events when both name the same files; "
            "give them under data.events only"
        )
    for table in events:
        for path in expand_patterns(root, table["files"]):
            _read_events(log, path, table, items["columns"] if table in together else None)
    if not together:
        for path in expand_patterns(root, items["files"]):
            read_items(log, path, items)
    for path in expand_patterns(root, users["files"]) if users else []:
        read_users(log, path, users or {})
    log.settle_bad_rows(max_bad_rows)


def read_items(log: RawLog, path: Path, items: Mapping[str, Any]) -> None:
    """Append a file of items; `items` is a mapping such as `data.items`."""
    base = log.begin(path)
    filters = items["where"]
    for columns in scan(log, path, named(items["columns"], filters), items["delimiter"]):
        checks = filter_checks(columns, path, "data.items.where", filters)
        fine = leave_out(log, path, checks)
        item = _item(columns, path, items["columns"])
        key = id_of(columns, items["columns"]["item"])
        log.count_without_id("item", path, f"(FROM raw WHERE {fine})", f"{key} IS NULL")
        log.db.execute(
            f"INSERT INTO items SELECT {item}, _row + {base}, NULL FROM raw WHERE {fine} AND {key} IS NOT NULL"
        )
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


def _read_events(log: RawLog, path: Path, events: dict[str, Any], item_columns: dict[str, Any] | None) -> None:
    base = log.begin(path)
    mapping, filters = events["columns"], events["where"]
    wanted = [*named(mapping, filters), *(named(item_columns, []) if item_columns else [])]
    for columns in scan(log, path, list(dict.fromkeys(wanted)), events["delimiter"]):
        for key, column in mapping.items():
            if column is not None:
                require(list(columns), column, path, f"data.events.columns.{key}")
        checks = [*filter_checks(columns, path, "data.events.where", filters), *_event_checks(columns, path, events)]
        fine = leave_out(log, path, checks)
        time = time_of(columns, mapping["time"], events["time_unit"])
        log.db.execute(
            f"INSERT INTO events SELECT {_user(columns, mapping)}, {id_of(columns, mapping['item'])}, {time}, "
            f"{_kind(columns, events)}, {_value(mapping)}, _row + {base} FROM raw WHERE {fine}"
        )
        if item_columns is not None:
            log.db.execute(
                f"INSERT INTO items SELECT {_item(columns, path, item_columns)}, _row + {base}, _row + {base} "
                f"FROM raw WHERE {fine}"
            )
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


def _event_checks(columns: dict[str, str], path: Path, events: dict[str, Any]) -> list[RowCheck]:
    mapping, unit = events["columns"], events["time_unit"]
    nobody = f"{_user(columns, mapping)} IS NULL OR {id_of(columns, mapping['item'])} IS NULL"
    checks = [RowCheck("events of nobody", nobody, f"{path.name}: the user or the item is empty")]
    if mapping["event"] is not None:
        checks.append(RowCheck("", f"{name_of(mapping['event'])} IS NULL", "'the event type is empty'"))
    # A column that has a type already can neither be misread nor hold an empty text: no cast of every row.
    if mapping["time"] is not None and not columns[mapping["time"]].startswith(("TIMESTAMP", "DATE")):
        raw = f"CAST({name_of(mapping['time'])} AS VARCHAR)"
        unread = f"{raw} <> '' AND {time_of(columns, mapping['time'], unit)} IS NULL"
        told = f"'the time ''' || {raw} || ''' is neither ISO 8601 nor a number of {unit} between 1900 and 2200'"
        checks.append(RowCheck("", unread, told))
    if mapping["value"] is not None:
        raw = f"CAST({name_of(mapping['value'])} AS VARCHAR)"
        given = f"{raw} <> ''" if columns[mapping["value"]] == "VARCHAR" else f"{name_of(mapping['value'])} IS NOT NULL"
        unread = f"{given} AND NOT coalesce(isfinite({_value(mapping)}), false)"
        checks.append(RowCheck("", unread, f"'the value ''' || {raw} || ''' is not a number'"))
    if events["event_types"] is not None:
        listed = ", ".join(quoted(name) for name in events["event_types"])
        kind = f"CAST({name_of(mapping['event'])} AS VARCHAR)"
        reason = f"{path.name}: event types that data.events.event_types does not list"
        checks.append(RowCheck("unlisted event types", f"{kind} NOT IN ({listed})", reason, kind))
    return checks


def _user(columns: Mapping[str, str], mapping: Mapping[str, str | None]) -> str:
    """SQL of the user; a visitor without an account is known by the session."""
    known = [id_of(columns, mapping["user"])] if mapping["user"] is not None else []
    if mapping["session"] is not None:
        known.append(f"'session:' || {id_of(columns, mapping['session'])}")
    return f"coalesce({', '.join(known)})" if len(known) > 1 else known[0]


def _value(mapping: Mapping[str, str | None]) -> str:
    if mapping["value"] is None:
        return "CAST(NULL AS DOUBLE)"
    return f"try_cast({name_of(mapping['value'])} AS DOUBLE)"


def _kind(columns: Mapping[str, str], events: Mapping[str, Any]) -> str:
    """SQL of the event type, by our names."""
    column, types = events["columns"]["event"], events["event_types"]
    if column is None:
        return quoted(events["event"])
    raw = f"CAST({name_of(column)} AS VARCHAR)"
    if types is None:
        return raw
    return (
        f"CASE {raw} "
        + " ".join(f"WHEN {quoted(theirs)} THEN {quoted(ours)}" for theirs, ours in types.items())
        + " END"
    )


def _item(columns: Mapping[str, str], path: Path, mapping: Mapping[str, Any]) -> str:
    """SQL of an item's attributes, in the order of the table `items`."""
    names, key = list(columns), "data.items.columns"

    def joined(name: str) -> str:
        parts = [require(names, column, path, f"{key}.{name}") for column in mapping[name]]
        texts = ", ".join(f"nullif(trim(CAST({part} AS VARCHAR)), '')" for part in parts)
        return f"concat_ws(' ', {texts})" if texts else "''"

    def single(name: str, converted: str) -> str:
        column = mapping[name]
        return converted.format(require(names, column, path, f"{key}.{name}")) if column else "NULL"

    require(names, mapping["item"], path, f"{key}.item")
    category = single("category", "nullif(trim(CAST({} AS VARCHAR)), '')")
    if mapping["category_separator"]:
        category = f"replace({category}, {quoted(mapping['category_separator'])}, '/')"
    # `$1,299.00` is a price, too
    price = single("price", "try_cast(regexp_replace(CAST({} AS VARCHAR), '[$€£, ]', '', 'g') AS DOUBLE)")
    published = time_of(columns, mapping["published"], "s")
    if mapping["published"]:
        require(names, mapping["published"], path, f"{key}.published")
    return f"{id_of(columns, mapping['item'])}, {joined('title')}, {joined('text')}, {category}, {price}, {published}"
