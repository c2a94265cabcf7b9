"""Event logs by column mapping: one table of events, and items from a table of their own or from the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ConfigError
from interestrec.core.raw_log import EXAMPLES, Log, quoted
from interestrec.formats.columns import id_of, time_of
from interestrec.formats.paths import expand
from interestrec.formats.tables import name_of, require, scan


@dataclass(frozen=True)
class Check:
    """Why rows are left out: SQL that is true of them, and under what they are counted."""

    rule: str  # of quality.json; empty for a malformed row
    wrong: str
    reason: str  # plain text, or SQL of it for a malformed row
    shows: str | None = None  # SQL of what stands for the rows as examples, by count; None: file and row


def read(
    log: Log, root: Path, max_bad_rows: int, merge_items: bool, events: list[dict[str, Any]], items: dict[str, Any]
) -> None:
    """Fill `items` and `events`; the last two arguments are the mappings of `data.events` and `data.items`.

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
        for path in expand(root, table["files"]):
            _read_events(log, path, table, items["columns"] if table in together else None)
    if not together:
        for path in expand(root, items["files"]):
            read_items(log, path, items)
    log.settle_bad_rows(max_bad_rows)


def read_items(log: Log, path: Path, items: Mapping[str, Any]) -> None:
    """Append a file of items; `items` is a mapping such as `data.items`."""
    base = log.begin(path)
    filters = items["where"]
    for columns in scan(log, path, _named(items["columns"], filters), items["delimiter"]):
        checks = _filters(columns, path, "data.items.where", filters)
        fine = _leave_out(log, path, checks)
        item = _item(columns, path, items["columns"])
        key = id_of(columns, items["columns"]["item"])
        log.count_items_without_id(path, f"(FROM raw WHERE {fine})", f"{key} IS NULL")
        log.db.execute(
            f"INSERT INTO items SELECT {item}, _row + {base}, NULL FROM raw WHERE {fine} AND {key} IS NOT NULL"
        )
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


def _read_events(log: Log, path: Path, events: dict[str, Any], item_columns: dict[str, Any] | None) -> None:
    base = log.begin(path)
    mapping, filters = events["columns"], events["where"]
    wanted = [*_named(mapping, filters), *(_named(item_columns, []) if item_columns else [])]
    for columns in scan(log, path, list(dict.fromkeys(wanted)), events["delimiter"]):
        for key, column in mapping.items():
            if column is not None:
                require(list(columns), column, path, f"data.events.columns.{key}")
        checks = [*_filters(columns, path, "data.events.where", filters), *_event_checks(columns, path, events)]
        fine = _leave_out(log, path, checks)
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


def _named(mapping: Mapping[str, Any], filters: list[dict[str, Any]]) -> list[str]:
    """All columns that a mapping and its filters name."""
    names = [name for value in mapping.values() for name in (value if isinstance(value, list) else [value]) if name]
    return list(dict.fromkeys([*names, *(condition["column"] for condition in filters)]))


def _leave_out(log: Log, path: Path, checks: list[Check]) -> str:
    """Count the rows of `raw` by the first check that they meet; SQL that is true of the rows that meet none."""
    if not checks:
        return "true"
    first = " ".join(f"WHEN {check.wrong} THEN {n}" for n, check in enumerate(checks))
    found = log.sql(
        f"SELECT failed, count(*), min(_row, {EXAMPLES}) FROM (SELECT _row, CASE {first} END AS failed FROM raw) "
        "GROUP BY failed"
    )
    counts = {failed: (count, rows) for failed, count, rows in found}
    left = sum(count for count, _ in counts.values())
    for n, check in enumerate(checks):
        count, rows = counts.get(n, (0, []))
        if check.rule:
            log.quality.count(check.rule, left, left - count, check.reason, _examples(log, path, check, n, first, rows))
        elif count:
            log.db.execute(
                f"INSERT INTO bad_rows SELECT {quoted(str(path))}, _row, {check.reason} FROM raw "
                f"WHERE (CASE {first} END) = {n}"
            )
        left -= count
    return f"(CASE {first} END) IS NULL"


def _examples(log: Log, path: Path, check: Check, n: int, first: str, rows: list[int]) -> list[str]:
    if check.shows is None or not rows:
        return [f"{path}:{row}" for row in rows]
    found = log.sql(
        f"SELECT {check.shows} AS shown, count(*) AS n FROM raw WHERE (CASE {first} END) = {n} "
        f"GROUP BY shown ORDER BY n DESC, shown LIMIT {EXAMPLES}"
    )
    return [f"{shown} ({count})" for shown, count in found]


def _event_checks(columns: dict[str, str], path: Path, events: dict[str, Any]) -> list[Check]:
    mapping, unit = events["columns"], events["time_unit"]
    nobody = f"{_user(columns, mapping)} IS NULL OR {id_of(columns, mapping['item'])} IS NULL"
    checks = [Check("events of nobody", nobody, f"{path.name}: the user or the item is empty")]
    if mapping["event"] is not None:
        checks.append(Check("", f"{name_of(mapping['event'])} IS NULL", "'the event type is empty'"))
    # A column that has a type already can neither be misread nor hold an empty text: no cast of every row.
    if mapping["time"] is not None and not columns[mapping["time"]].startswith(("TIMESTAMP", "DATE")):
        raw = f"CAST({name_of(mapping['time'])} AS VARCHAR)"
        unread = f"{raw} <> '' AND {time_of(columns, mapping['time'], unit)} IS NULL"
        told = f"'the time ''' || {raw} || ''' is neither ISO 8601 nor a number of {unit} between 1900 and 2200'"
        checks.append(Check("", unread, told))
    if mapping["value"] is not None:
        raw = f"CAST({name_of(mapping['value'])} AS VARCHAR)"
        given = f"{raw} <> ''" if columns[mapping["value"]] == "VARCHAR" else f"{name_of(mapping['value'])} IS NOT NULL"
        unread = f"{given} AND NOT coalesce(isfinite({_value(mapping)}), false)"
        checks.append(Check("", unread, f"'the value ''' || {raw} || ''' is not a number'"))
    if events["event_types"] is not None:
        listed = ", ".join(quoted(name) for name in events["event_types"])
        kind = f"CAST({name_of(mapping['event'])} AS VARCHAR)"
        reason = f"{path.name}: event types that data.events.event_types does not list"
        checks.append(Check("unlisted event types", f"{kind} NOT IN ({listed})", reason, kind))
    return checks


def _filters(columns: dict[str, str], path: Path, key: str, where: list[dict[str, Any]]) -> list[Check]:
    """One check a condition: rows pass when all conditions hold."""
    checks = []
    for position, condition in enumerate(where):
        column = require(list(columns), condition["column"], path, f"{key}.{position}.column")
        test, value = next((k, v) for k, v in condition.items() if k != "column" and v is not None)
        reason = f"{path.name}: kept where {condition['column']} {test.replace('_', ' ')} {value}"
        checks.append(Check("filter", f"NOT coalesce({_TESTS[test](column, value)}, false)", reason))
    return checks


def _equals(column: str, value: Any) -> str:
    if isinstance(value, str):
        return f"CAST({column} AS VARCHAR) = {quoted(value)}"
    return f"try_cast({column} AS DOUBLE) = {value!r}"


# Name of a condition -> SQL of a column and the condition's value.
_TESTS = {
    "equals": _equals,
    "one_of": lambda column, values: "(" + " OR ".join(_equals(column, value) for value in values) + ")",
    "above": lambda column, value: f"try_cast({column} AS DOUBLE) > {value!r}",
    "below": lambda column, value: f"try_cast({column} AS DOUBLE) < {value!r}",
    "not_prefix": lambda column, value: f"NOT starts_with(CAST({column} AS VARCHAR), {quoted(value)})",
    "not_null": lambda column, value: f"{column} IS NOT NULL",
}


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
