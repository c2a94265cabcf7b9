"""Event logs by column mapping: one table of events, and items from a table of their own or from the same rows."""

from pathlib import Path
from typing import Any

from interestrec.core.errors import ConfigError, DataError
from interestrec.core.raw_log import EXAMPLES, Log
from interestrec.formats.lines import quoted
from interestrec.formats.tables import moment, open_table, require

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def read(log: Log, root: Path, max_bad_rows: int, events: dict[str, Any], items: dict[str, Any]) -> None:
    """Fill `items` and `events`; both arguments are the mappings of `data.events` and `data.items`.

    Raises:
        InputMissingError: a file is missing.
        ConfigError: items from the events' own files have filters of their own.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    together = items["files"] == events["files"]
    if together and (items["where"] or items["delimiter"] != events["delimiter"]):
        raise ConfigError(
            "data.items: `where` and `delimiter` are those of data.events when both name the same files; "
            "give them under data.events only"
        )
    for name in events["files"]:
        columns = open_table(log, "raw", root / name, events["delimiter"])
        _filter(log, columns, root / name, "data.events.where", events["where"])
        _add_events(log, columns, root / name, events, items["columns"] if together else None)
    if not together:
        for name in items["files"]:
            columns = open_table(log, "raw", root / name, items["delimiter"])
            _filter(log, columns, root / name, "data.items.where", items["where"])
            _add_items(log, "raw", columns, root / name, items["columns"], event_ord="NULL")
    log.settle_bad_rows(max_bad_rows)


def _filter(log: Log, columns: list[str], path: Path, key: str, where: list[dict[str, Any]]) -> None:
    """Keep the rows that pass every condition, counting what each leaves out."""
    for position, condition in enumerate(where):
        column = require(columns, condition["column"], path, f"{key}.{position}.column")
        test, value = next((k, v) for k, v in condition.items() if k != "column" and v is not None)
        before = log.rows("raw")
        kept = _TESTS[test](column, value)
        left_out = log.sql(f"SELECT _row FROM raw WHERE NOT coalesce({kept}, false) ORDER BY _row LIMIT {EXAMPLES}")
        log.db.execute(f"DELETE FROM raw WHERE NOT coalesce({kept}, false)")
        reason = f"{path.name}: kept where {condition['column']} {test.replace('_', ' ')} {value}"
        log.quality.count("filter", before, log.rows("raw"), reason, [f"{path}:{row[0]}" for row in left_out])


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


def _id(log: Log, column: str) -> str:
    """SQL of a column as an id: a whole number without a fraction, else the trimmed text; null when empty."""
    kind = log.sql(f"SELECT typeof({column}) FROM raw WHERE {column} IS NOT NULL LIMIT 1")
    if kind and kind[0][0] in ("DOUBLE", "FLOAT"):
        text = f"CAST({column} AS VARCHAR)"
        whole = f"coalesce(CAST(try_cast({column} AS BIGINT) AS VARCHAR), {text})"
        return (
            f"CASE WHEN isfinite({column}) THEN CASE WHEN {column} = floor({column}) THEN {whole} ELSE {text} END END"
        )
    return f"nullif(trim(CAST({column} AS VARCHAR)), '')"


def _time(log: Log, column: str | None, unit: str) -> str:
    """SQL of a column as a UTC timestamp, null where it cannot be read."""
    if column is None:
        return "CAST(NULL AS TIMESTAMP)"
    kind = log.sql(f"SELECT typeof({column}) FROM raw WHERE {column} IS NOT NULL LIMIT 1")
    if kind and kind[0][0].startswith(("TIMESTAMP", "DATE")):
        return f"CAST({column} AS TIMESTAMP)"
    number = f"try_cast({column} AS DOUBLE)"
    # `2019-10-01 00:00:00 UTC` is common and no ISO 8601.
    text = f"try_cast(regexp_replace(CAST({column} AS VARCHAR), ' ?UTC$', '+00:00') AS TIMESTAMPTZ)"
    stamp = f"try_cast({text} AS TIMESTAMP)"
    return f"CASE WHEN {number} IS NOT NULL THEN {moment(number, _MICROSECONDS[unit])} ELSE {stamp} END"


def _add_events(
    log: Log, columns: list[str], path: Path, events: dict[str, Any], item_columns: dict[str, Any] | None
) -> None:
    mapping, key = events["columns"], "data.events.columns"
    found = {k: require(columns, v, path, f"{key}.{k}") for k, v in mapping.items() if v is not None}
    time, value = found.get("time"), found.get("value")
    measured = f"try_cast({value} AS DOUBLE)" if value else "CAST(NULL AS DOUBLE)"
    kind = f"CAST({found['event']} AS VARCHAR)" if "event" in found else quoted(events["event"])
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {_id(log, found['user'])} AS user_id, "
        f"{_id(log, found['item'])} AS item_id, {_time(log, time, events['time_unit'])} AS time, "
        f"{kind} AS event, {measured} AS value, "
        f"{f'CAST({time} AS VARCHAR)' if time else 'NULL'} AS raw_time, "
        f"{f'CAST({value} AS VARCHAR)' if value else 'NULL'} AS raw_value FROM raw"
    )
    source = quoted(str(path))
    before = log.rows("parsed")
    nobody = "user_id IS NULL OR item_id IS NULL"
    examples = log.sql(f"SELECT _row FROM parsed WHERE {nobody} ORDER BY _row LIMIT {EXAMPLES}")
    log.db.execute(f"DELETE FROM parsed WHERE {nobody}")
    reason = f"{path.name}: the user or the item is empty"
    log.quality.count("events of nobody", before, log.rows("parsed"), reason, [f"{path}:{row[0]}" for row in examples])
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {source}, _row, CASE "
        "WHEN event IS NULL THEN 'the event type is empty' "
        "WHEN time IS NULL AND raw_time <> '' THEN 'the time ''' || raw_time || ''' "
        f"is neither ISO 8601 nor a number of {events['time_unit']} between 1900 and 2200' "
        "WHEN raw_value <> '' AND NOT coalesce(isfinite(value), false) THEN "
        "'the value ''' || raw_value || ''' is not a number' END AS reason FROM parsed WHERE reason IS NOT NULL"
    )
    log.db.execute(f"DELETE FROM parsed WHERE _row IN (SELECT row FROM bad_rows WHERE source = {source})")
    if events["event_types"] is not None:
        _map_types(log, path, events["event_types"])
    log.db.execute("CREATE OR REPLACE TEMP TABLE base AS SELECT coalesce(max(ord), 0) AS ord FROM events")
    log.db.execute(
        f"INSERT INTO events SELECT user_id, item_id, time, event, value, NULL, _row + base.ord, {source}, _row "
        "FROM parsed, base ORDER BY _row"
    )
    if item_columns is not None:
        log.db.execute("CREATE OR REPLACE TEMP TABLE kept AS SELECT raw.* FROM raw SEMI JOIN parsed USING (_row)")
        _add_items(log, "kept", columns, path, item_columns, event_ord="_row + (SELECT ord FROM base)")


def _map_types(log: Log, path: Path, types: dict[str, str]) -> None:
    before = log.rows("parsed")
    unlisted = log.sql(
        "SELECT event || ' (' || count(*) || ')' FROM parsed WHERE NOT list_contains(?, event) "
        "GROUP BY event ORDER BY count(*) DESC, event LIMIT 3",
        [list(types)],
    )
    log.db.execute("DELETE FROM parsed WHERE NOT list_contains(?, event)", [list(types)])
    reason = f"{path.name}: event types that data.events.event_types does not list"
    log.quality.count("unlisted event types", before, log.rows("parsed"), reason, [row[0] for row in unlisted])
    cases = " ".join(f"WHEN {quoted(theirs)} THEN {quoted(ours)}" for theirs, ours in types.items())
    log.db.execute(f"UPDATE parsed SET event = CASE event {cases} END")


def _add_items(log: Log, table: str, columns: list[str], path: Path, mapping: dict[str, Any], event_ord: str) -> None:
    key = "data.items.columns"

    def joined(name: str) -> str:
        parts = [require(columns, column, path, f"{key}.{name}") for column in mapping[name]]
        texts = ", ".join(f"nullif(trim(CAST({part} AS VARCHAR)), '')" for part in parts)
        return f"concat_ws(' ', {texts})" if texts else "''"

    def single(name: str, converted: str) -> str:
        column = mapping[name]
        return converted.format(require(columns, column, path, f"{key}.{name}")) if column else "NULL"

    category = single("category", "nullif(trim(CAST({} AS VARCHAR)), '')")
    price, published = single("price", "try_cast({} AS DOUBLE)"), single("published", "try_cast({} AS TIMESTAMP)")
    if not mapping["title"] and not mapping["text"]:
        raise DataError(f"{path}: {key} names neither title nor text; an item without words cannot be encoded")
    item = _id(log, require(columns, mapping["item"], path, f"{key}.item"))
    log.db.execute(
        f"INSERT INTO items SELECT {item} AS id, {joined('title')}, {joined('text')}, "
        f"{category}, {price}, {published}, _row + (SELECT coalesce(max(ord), 0) FROM items), "
        f"{event_ord} FROM {table} WHERE {item} IS NOT NULL ORDER BY _row"
    )
