"""SQL of columns as ids and times, whatever type the file keeps them in."""

from collections.abc import Mapping

from interestrec.formats.raw_tables import name_of

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def id_of(types: Mapping[str, str], column: str) -> str:
    """A column as an id: a whole number without a fraction, else the trimmed text; null when empty."""
    name, kind = name_of(column), types.get(column, "")
    if kind in ("DOUBLE", "FLOAT"):
        text = f"CAST({name} AS VARCHAR)"
        whole = f"coalesce(CAST(try_cast({name} AS BIGINT) AS VARCHAR), {text})"
        return f"CASE WHEN isfinite({name}) THEN CASE WHEN {name} = floor({name}) THEN {whole} ELSE {text} END END"
    if kind.endswith(("INT", "INTEGER")):
        return f"CAST({name} AS VARCHAR)"
    return f"nullif(trim(CAST({name} AS VARCHAR)), '')"


def time_of(types: Mapping[str, str], column: str | None, unit: str) -> str:
    """A column as a UTC timestamp, null where it cannot be read; numbers count `unit` since 1970."""
    if column is None:
        return "CAST(NULL AS TIMESTAMP)"
    name = name_of(column)
    if types.get(column, "").startswith(("TIMESTAMP", "DATE")):
        return _within(f"CAST({name} AS TIMESTAMP)")
    number = f"try_cast({name} AS DOUBLE)"
    # `2019-10-01 00:00:00 UTC` is common and no ISO 8601.
    text = f"try_cast(regexp_replace(CAST({name} AS VARCHAR), ' ?UTC$', '+00:00') AS TIMESTAMPTZ)"
    stamp = _within(f"try_cast({text} AS TIMESTAMP)")
    return f"CASE WHEN {number} IS NOT NULL THEN {moment(number, MICROSECONDS[unit])} ELSE {stamp} END"


def _within(stamp: str) -> str:
    """A timestamp, null outside the years 1 to 9999, as `infinity` is."""
    return f"CASE WHEN {stamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59' THEN {stamp} END"


def moment(number: str, microseconds: int) -> str:
    """SQL of a number of units of so many microseconds since 1970 as a timestamp; null outside 1900 to 2200.

    A year beyond is a unit mistaken for another.
    """
    first, last = -2_208_988_800 * 1_000_000 // microseconds, 7_258_118_400 * 1_000_000 // microseconds
    stamp = f"make_timestamp(CAST({number} * {microseconds} AS BIGINT))"
    return f"CASE WHEN {number} BETWEEN {first} AND {last} THEN {stamp} END"
