"""Times in a sampled column: their notation, their unit and their span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product

from interestrec.inspection.column_profile import ColumnProfile, text_of
from interestrec.inspection.role_names import is_id_name, name_score
from interestrec.rawfiles.raw_log import RawLog, sql_string

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
_FIRST, _LAST_YEARS_AHEAD = datetime(1990, 1, 1, tzinfo=UTC), 2
_VALUES = 20_000  # different values that formats are tried on
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_DAY_FIRST, _MONTH_FIRST = ("%d{0}%m{0}%Y", "%d{0}%m{0}%y"), ("%m{0}%d{0}%Y", "%m{0}%d{0}%y")
_WRITTEN_OUT = ("%Y/%m/%d", "%Y.%m.%d", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%Y%m%d%H%M%S")


@dataclass(frozen=True)
class TimeGuess:
    """How a column seems to be read as times."""

    first: datetime
    last: datetime
    readable: float  # share of the filled values
    keys: Mapping[str, str] = field(default_factory=dict)  # time_unit or time_format, where not the default
    alternative: str | None = None  # another format that reads as many values: day and month may be swapped
    notation: str = "ISO 8601"
    order: str = "try_cast(t AS DOUBLE)"  # SQL that orders the texts t by time


def guess_time(log: RawLog, relation: str, column: ColumnProfile) -> TimeGuess | None:
    """Return how to read a column as times; None if it seems to hold none."""
    if column.is_list or not column.filled:
        return None
    if column.is_typed_time:
        first, last = log.sql(
            f"SELECT min(t::TIMESTAMP), max(t::TIMESTAMP) FROM (SELECT {text_of(column.name)} AS t FROM {relation})"
        )[0]
        return TimeGuess(_utc(first), _utc(last), 1.0, notation="a time", order="try_cast(t AS TIMESTAMP)")
    if column.is_number:
        return _epoch(column)
    if column.words > 6 or (column.letters > 0.99 and column.numbers > 0):
        return None
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE time_texts AS SELECT DISTINCT {text_of(column.name)} AS t FROM {relation} "
        f"WHERE {text_of(column.name)} SIMILAR TO '.*[0-9].*' LIMIT {_VALUES}"
    )
    iso = "try_cast(try_cast(regexp_replace(t, ' ?UTC$', '+00:00') AS TIMESTAMPTZ) AS TIMESTAMP)"
    guess = _read(log, iso, {}, "ISO 8601") or _by_format(log)
    if guess is None:
        return None
    texts = f"(SELECT {text_of(column.name)} AS t FROM {relation})"
    first, last = log.sql(
        f"SELECT min(s), max(s) FROM (SELECT {guess.order} AS s FROM {texts}) WHERE year(s) BETWEEN 1900 AND 2200"
    )[0]
    return replace(guess, first=_utc(first), last=_utc(last))


def _epoch(column: ColumnProfile) -> TimeGuess | None:
    low, high = column.low or 0.0, column.high or 0.0
    for unit, size in _UNITS.items():
        first, last = _at(low / size), _at(high / size)
        if first is None or last is None or first < _FIRST or last.year > datetime.now(UTC).year + _LAST_YEARS_AHEAD:
            continue
        # Ids of nine or ten digits look like seconds.
        if name_score(column.name, "time") < 0.6 and is_id_name(column.name):
            return None
        return TimeGuess(
            first, last, column.numbers, {"time_unit": unit} if unit != "s" else {}, notation=f"{unit} since 1970"
        )
    return None


def _by_format(log: RawLog) -> TimeGuess | None:
    """Try formats; where days and months may be swapped, the other order is the alternative."""
    for separator, clock in product("/.-", _CLOCKS):
        found: list[TimeGuess | None] = []
        for orders in (_DAY_FIRST, _MONTH_FIRST):
            formats = [order.format(separator) + clock for order in orders]
            guesses = [_read(log, _parsed(f), {"time_format": f}, f) for f in formats]
            found.append(max((g for g in guesses if g), key=lambda g: g.readable, default=None))
        day, month = found
        if day and month and day.readable == month.readable:
            return replace(day, alternative=month.keys["time_format"])
        if day or month:
            return max((g for g in found if g), key=lambda g: g.readable)
    for text, clock in product(_WRITTEN_OUT, _CLOCKS):
        if guess := _read(log, _parsed(text + clock), {"time_format": text + clock}, text + clock):
            return guess
    return None


def _parsed(text: str) -> str:
    return f"try_strptime(t, {sql_string(text)})"


def _read(log: RawLog, expression: str, keys: Mapping[str, str], notation: str) -> TimeGuess | None:
    """Return the guess if an expression reads nearly all texts as times of plausible years."""
    total, readable, first, last = log.sql(
        f"SELECT count(*), count(s), min(s), max(s) FROM (SELECT CASE WHEN year({expression}) BETWEEN 1900 AND 2200 "
        f"THEN {expression} END AS s FROM time_texts)"
    )[0]
    if not total or readable < 0.95 * total:
        return None
    return TimeGuess(_utc(first), _utc(last), readable / total, keys, notation=notation, order=expression)


def _at(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
