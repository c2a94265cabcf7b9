"""SQL expressions that read a column as an id or a time, whatever type the file stores."""

from collections.abc import Mapping

from interestrec.rawfiles.raw_tables import identifier

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def id_expression(types: Mapping[str, str], column: str) -> str:
    """Return the SQL of a column as an id: a whole number without its fraction, else trimmed text; null when empty."""
    name, sql_type = identifier(column), types.get(column, "")
    if sql_type in ("DOUBLE", "FLOAT"):
        text = f"CAST({name} AS VARCHAR)"
        integer = f"coalesce(CAST(try_cast({name} AS BIGINT) AS VARCHAR), {text})"
        return f"CASE WHEN isfinite({name}) THEN CASE WHEN {name} = floor({name}) THEN {integer} ELSE {text} END END"
    if sql_type.endswith(("INT", "INTEGER")):
        return f"CAST({name} AS VARCHAR)"
    return f"nullif(trim(CAST({name} AS VARCHAR)), '')"


def time_expression(types: Mapping[str, str], column: str | None, unit: str) -> str:
    """Return the SQL of a column as a UTC timestamp, null where it cannot be read; numbers count `unit` since 1970."""
    if column is None:
        return "CAST(NULL AS TIMESTAMP)"
    name = identifier(column)
    if types.get(column, "").startswith(("TIMESTAMP", "DATE")):
        return _in_calendar_range(f"CAST({name} AS TIMESTAMP)")
    number = f"try_cast({name} AS DOUBLE)"
    # `2019-10-01 00:00:00 UTC` is common but not ISO 8601.
    text = f"try_cast(regexp_replace(CAST({name} AS VARCHAR), ' ?UTC$', '+00:00') AS TIMESTAMPTZ)"
    stamp = _in_calendar_range(f"try_cast({text} AS TIMESTAMP)")
    return f"CASE WHEN {number} IS NOT NULL THEN {epoch_to_timestamp(number, MICROSECONDS[unit])} ELSE {stamp} END"


def _in_calendar_range(stamp: str) -> str:
    """Return the SQL of a timestamp that is null outside the years 1 to 9999, as `infinity` is."""
    return f"CASE WHEN {stamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59' THEN {stamp} END"


def epoch_to_timestamp(number: str, microseconds: int) -> str:
    """Return the SQL of a number of units since 1970 as a timestamp; null outside the years 1900 to 2200.

    A year outside that range means that the unit was mistaken for another.

    Args:
        number: SQL of the number.
        microseconds: length of the unit.
    """
    first, last = -2_208_988_800 * 1_000_000 // microseconds, 7_258_118_400 * 1_000_000 // microseconds
    stamp = f"make_timestamp(CAST({number} * {microseconds} AS BIGINT))"
    return f"CASE WHEN {number} BETWEEN {first} AND {last} THEN {stamp} END"
