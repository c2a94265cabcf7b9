"""Times that are written as numbers: counted since 1970, or with the digits of a calendar date such as 20200705."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from interestrec.columns.whole_columns import TEXT_TYPES, WholeColumn, is_clear, is_number_type, is_whole_type

FIRST, LAST = "TIMESTAMP '1900-01-01'", "TIMESTAMP '2200-12-31 23:59:59.999999'"
_FIRST_SECOND, _LAST_SECOND = -2_208_988_800, 7_289_654_399
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # units in a second
_UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Calendar dates as whole numbers: digits of the number, format, and SQL that tells the month of the whole number n.
_CALENDARS = {
    "YYYY": (4, "%Y", "1"),
    "YYYYMM": (6, "%Y%m", "n % 100"),
    "YYYYMMDD": (8, "%Y%m%d", "n // 100 % 100"),
    "YYYYMMDDhh": (10, "%Y%m%d%H", "n // 10000 % 100"),
    "YYYYMMDDhhmm": (12, "%Y%m%d%H%M", "n // 1000000 % 100"),
    "YYYYMMDDhhmmss": (14, "%Y%m%d%H%M%S", "n // 100000000 % 100"),
    "YYYYMMDDhhmmssSSS": (17, "%Y%m%d%H%M%S%g", "n // 100000000000 % 100"),
}
_MIN_DIGITS = 8  # of a calendar date that does not stand among other numbers by chance


@dataclass(frozen=True)
class NumberedTime:
    """How the numbers of a column are read as times: a unit since 1970, or the name of a calendar notation."""

    unit: str
    doubt: str = ""  # why the numbers may mean something else
    is_given: bool = False  # whether the configuration says so

    @property
    def sentence(self) -> str:
        """What the numbers are, as a phrase."""
        return f"{_UNIT_NAMES[self.unit]} since 1970" if self.unit in UNITS else f"numbers like {self.unit}"

    def expression(self, value: str, sql_type: str) -> str:
        """Return the SQL of a value as a TIMESTAMP; null where it is not a number within the years 1900 to 2200."""
        if self.unit not in UNITS:
            digits, time_format, _ = _CALENDARS[self.unit]
            whole = f"try_cast({value} AS BIGINT)"
            is_whole = f"{whole} = try_cast({value} AS DOUBLE)"
            stamp = f"CAST(try_strptime(CAST({whole} AS VARCHAR), '{time_format}') AS TIMESTAMP)"
            inside = f"{is_whole} AND {whole} BETWEEN {1900 * 10 ** (digits - 4)} AND {2201 * 10 ** (digits - 4) - 1}"
            return f"CASE WHEN {inside} THEN {stamp} END"
        per_second = UNITS[self.unit]
        number = f"try_cast({value} AS {'BIGINT' if is_whole_type(sql_type) else 'DOUBLE'})"
        inside = f"{number} BETWEEN {_FIRST_SECOND * per_second} AND {_LAST_SECOND * per_second}"
        lower = list(UNITS)[list(UNITS).index(self.unit) - 1]
        if self.unit != "s" and not self.is_given:  # a smaller number counts a longer unit
            inside += f" AND ({number} = 0 OR abs({number}) > {_LAST_SECOND * UNITS[lower]})"
        if self.unit == "ns":
            whole = number if is_whole_type(sql_type) else f"try_cast({value} AS HUGEINT)"
            return f"CASE WHEN {inside} THEN make_timestamp(CAST({whole} // 1000 AS BIGINT)) END"
        return f"CASE WHEN {inside} THEN make_timestamp(CAST({number} * {1_000_000 // per_second} AS BIGINT)) END"


def decide_numbers(column: WholeColumn) -> NumberedTime | None:
    """Return how the numbers of a column are read as times, typed or written as text; None if it has none.

    A calendar notation is chosen where the numbers look like it, else a unit by their magnitude. `doubt` is set where
    neither holds for at least ten times as many numbers as the rest.
    """
    total, calendars, magnitudes, year_like = _tallies(column)
    if not total:
        return None
    for name, count in calendars.items():
        if is_clear(count, total - count):
            return NumberedTime(name)
    for name, count in calendars.items():
        is_long = _CALENDARS[name][0] >= _MIN_DIGITS
        if count and (not is_clear(total - count, count) if is_long else count > total - count):
            return NumberedTime("s", f"{count:,} of {total:,} numbers look like {name} and the others do not")
    if is_clear(year_like, total - year_like):
        return NumberedTime("s", "the numbers look like years, but have a fraction")
    if not sum(magnitudes.values()):
        return NumberedTime("s")
    unit = max(magnitudes, key=lambda each: magnitudes[each])
    others = sum(magnitudes.values()) - magnitudes[unit]
    if is_clear(magnitudes[unit], others):
        return NumberedTime(unit)
    sizes = " and ".join(f"{_UNIT_NAMES[each]} ({count:,})" for each, count in magnitudes.items() if count)
    return NumberedTime(unit, f"the numbers have the size of {sizes} since 1970")


def _tallies(column: WholeColumn) -> tuple[int, dict[str, int], dict[str, int], int]:
    """Return the count of numbers other than 0, and of those that look like each calendar notation, unit, and year."""
    aggregates = ["count(*)"]
    for digits, _, month in _CALENDARS.values():
        low, high = 1900 * 10 ** (digits - 4), 2201 * 10 ** (digits - 4) - 1
        day = f" AND n // {10 ** (digits - 8)} % 100 BETWEEN 1 AND 31" if digits >= _MIN_DIGITS else ""
        hour = f" AND n // {10 ** (digits - 10)} % 100 < 24" if digits >= _MIN_DIGITS + 2 else ""
        look = f"n = x AND n BETWEEN {low} AND {high} AND {month} BETWEEN 1 AND 12{day}{hour}"
        aggregates.append(f"count(*) FILTER (WHERE {look})")
    limits = [0, *(_LAST_SECOND * per_second for per_second in UNITS.values())]
    for low, high in pairwise(limits):
        aggregates.append(f"count(*) FILTER (WHERE abs(x) > {low} AND abs(x) <= {high})")
    aggregates.append("count(*) FILTER (WHERE x >= 1900 AND x < 2201)")
    sums = [0] * len(aggregates)
    for part in column.parts:
        if part.sql_type not in TEXT_TYPES and not is_number_type(part.sql_type):
            continue
        numbers = f"SELECT try_cast(v AS DOUBLE) AS x, try_cast(v AS BIGINT) AS n FROM ({column.select(part)})"
        query = f"SELECT {', '.join(aggregates)} FROM ({numbers}) WHERE isfinite(x) AND x <> 0"
        sums = [old + new for old, new in zip(sums, column.log.sql(query)[0], strict=True)]
    names = len(_CALENDARS)
    calendars = dict(zip(_CALENDARS, sums[1 : 1 + names], strict=True))
    magnitudes = dict(zip(UNITS, sums[1 + names : -1], strict=True))
    return sums[0], calendars, magnitudes, sums[-1]
