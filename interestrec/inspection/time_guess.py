"""Times in a sampled column: whether it holds them, how they are written, and their span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from interestrec.columns.time_notations import TimeNotation, decide_time
from interestrec.columns.whole_columns import ColumnPart, WholeColumn
from interestrec.core.errors import DataError
from interestrec.inspection.column_profile import ColumnProfile
from interestrec.inspection.role_names import is_id_name, name_score
from interestrec.rawfiles.raw_log import RawLog

_FIRST_YEAR, _YEARS_AHEAD = 1990, 2  # years of events
_LEAST_READABLE = 0.95
_LONGEST_WORDS = 8  # of a time that is text


@dataclass(frozen=True)
class TimeGuess:
    """How a column is read as times."""

    first: datetime
    last: datetime
    notation: str  # a phrase
    order: str  # SQL over the table's columns: the time
    doubt: str = ""  # why another notation fits as well
    formats: tuple[str, ...] = ()  # formats of strptime of which each fits, where days and months may be swapped


def guess_time(log: RawLog, relation: str, column: ColumnProfile) -> TimeGuess | None:
    """Return how to read a column as times; None if it seems to hold none.

    Args:
        log: a log that is cut, so that what its rows leave open is a doubt and no error.
    """
    if column.is_list or not column.filled or column.words > _LONGEST_WORDS or not _may_be_time(column):
        return None
    whole = WholeColumn(log, column.name, (ColumnPart(relation, column.sql_type),), key="the table")
    try:
        notation = decide_time(whole, must_decide=False)
    except DataError:
        return None
    expression = notation.expression(column.sql_type)
    values = f"(SELECT {notation.raw(column.sql_type)} AS v, {expression} AS t FROM {relation})"
    filled, readable, first, last = log.sql(f"SELECT count(v), count(t), min(t), max(t) FROM {values}")[0]
    if not filled or readable < _LEAST_READABLE * filled or readable < 2:
        return None
    guess = TimeGuess(_utc(first), _utc(last), notation.sentence, expression, notation.doubt, _orders(notation))
    if column.is_number and not column.is_typed_time and not _is_plausible(column, guess):
        return None
    return guess


def _may_be_time(column: ColumnProfile) -> bool:
    """Whether a look at the values is worth it: times have digits, and most columns of text have none in every row."""
    return column.is_typed_time or all(any(c.isdigit() for c in value) for value, _ in column.frequent)


def _is_plausible(column: ColumnProfile, guess: TimeGuess) -> bool:
    """Whether numbers that can be read as times are times: years since 1990 and no ids, which look like seconds.

    A year or a day such as 20200705 needs a name that says time or publication.
    """
    says_time = max(name_score(column.name, "time"), name_score(column.name, "published")) >= 0.6
    if "numbers like" in guess.notation:
        return says_time
    latest = datetime.now(UTC).year + _YEARS_AHEAD
    if guess.first.year < _FIRST_YEAR or guess.last.year > latest:
        return False
    return says_time or not is_id_name(column.name)


def _orders(notation: TimeNotation) -> tuple[str, ...]:
    """Return the day-first and the month-first format of the dates, if the sample leaves both possible."""
    if not notation.doubt or not notation.layouts:
        return ()
    taken = notation.layouts[0][0]
    if "%d" not in taken or "%m" not in taken:
        return ()
    return taken, taken.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
