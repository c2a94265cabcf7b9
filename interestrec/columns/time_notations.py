"""The one reader of times: decides over a whole column how its times are written, and reads them as UTC timestamps.

Years are 1900 to 2200; a text or number outside of them is not a time but another notation, and counts as unreadable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from interestrec.columns.epoch_numbers import FIRST, LAST, UNITS, NumberedTime, decide_numbers
from interestrec.columns.time_layouts import DAY_FIRST, MONTH_FIRST, YEAR_FIRST, TimeLayout, layout_of
from interestrec.columns.whole_columns import TEXT_TYPES, WholeColumn, is_clear, is_number_type
from interestrec.core.errors import VALUE, DataError, TooFewRowsError
from interestrec.rawfiles.raw_log import sql_string

_SAMPLE = 20_000  # values whose shapes are looked at in one round
_ROUNDS = 8  # of looking at values that no known format reads
_LONGEST = 80  # characters of a time
_DIGITS = "'0123456789', '9999999999'"
_NUMERIC_DATE = r"(?:^|[^0-9])([0-9]{1,2}[-/.][0-9]{1,2}[-/.] ?(?:[0-9]{4}|[0-9]{2}))(?:$|[^0-9])"


@dataclass(frozen=True)
class TimeNotation:
    """How the times of a column are written."""

    column: WholeColumn
    layouts: tuple[tuple[str, int], ...] = ()  # (format of strptime, minutes east of UTC), the most frequent first
    numbers: NumberedTime | None = None
    doubt: str = ""  # why the notation is only one of several possible ones
    given_format: str | None = None

    @property
    def sentence(self) -> str:
        """How the column is read, as a phrase: `text like '%d/%m/%Y %H:%M'`, `milliseconds since 1970`."""
        readings = [] if self.numbers is None else [self.numbers.sentence]
        if self.layouts:
            readings.append("text like " + ", ".join(f"'{time_format}'" for time_format, _ in self.layouts[:3]))
            if len(self.layouts) > 3:
                readings[-1] += f" and {len(self.layouts) - 3} more"
        if any(_is_timestamp(part.sql_type) for part in self.column.parts):
            readings.append("timestamps")
        return " or ".join(readings) or "no notation of times that is known"

    @property
    def reason(self) -> str:
        """Why a value is malformed, with the place of the value."""
        advice = "" if self.given_format else f"; `time_format` in {self.column.key} says how times are written"
        return f"the time '{VALUE}' cannot be read as {self.sentence} within 1900 to 2200{advice}"

    def expression(self, sql_type: str) -> str:
        """Return the SQL of a value of this type as a UTC TIMESTAMP, null where it is missing or unreadable."""
        if _is_timestamp(sql_type):
            return _in_range(f"CAST({self.raw(sql_type)} AS TIMESTAMP)")
        value = self.raw(sql_type)
        if self.given_format:
            digits = f"coalesce(CAST(try_cast({value} AS HUGEINT) AS VARCHAR), CAST({value} AS VARCHAR))"
            return read_text(digits if is_number_type(sql_type) else value, self.layouts)
        if is_number_type(sql_type):
            return "CAST(NULL AS TIMESTAMP)" if self.numbers is None else self.numbers.expression(value, sql_type)
        text = read_text(value, self.layouts)
        if self.numbers is None:
            return text
        number = self.numbers.expression(value, sql_type)
        if not self.layouts:
            return number
        return f"CASE WHEN try_cast({value} AS DOUBLE) IS NULL THEN {text} ELSE {number} END"

    def raw(self, sql_type: str) -> str:
        """Return the SQL of a value before it is read: clean text, or as it is typed."""
        return self.column.typed(sql_type)

    def unreadable(self, sql_type: str) -> str:
        """Return the SQL that is true for values that are neither missing nor readable."""
        return f"{self.raw(sql_type)} IS NOT NULL AND {self.expression(sql_type)} IS NULL"


def decide_time(
    column: WholeColumn, time_format: str | None = None, time_unit: str | None = None, must_decide: bool = True
) -> TimeNotation:
    """Decide how the times of a column are written.

    Args:
        time_format: format of `strptime` that the configuration gives; None = the formats that the values have.
        time_unit: unit of numbers since 1970 that the configuration gives; None = by the values.

        must_decide: whether it is an error if the column leaves several notations possible.

    Returns:
        The notation; `doubt` says why it is only one of several, if it need not be the only one.

    Raises:
        DataError: the type is not that of times.
        TooFewRowsError: the column leaves several notations possible, which the message names.
    """
    for part in column.parts:
        if not (_is_timestamp(part.sql_type) or part.sql_type in TEXT_TYPES or is_number_type(part.sql_type)):
            raise DataError(
                f"{column.subject} is of type {part.sql_type}; a time is a timestamp, a date, text or a number"
            )
    if time_format is not None:
        return TimeNotation(column, ((time_format, 0),), given_format=time_format)
    numbers = NumberedTime(time_unit, is_given=True) if time_unit is not None else decide_numbers(column)
    layouts, doubts = _Formats(column).decide()
    if layouts and numbers is not None and _is_stray(column, numbers):
        numbers = None
    if numbers is not None and numbers.doubt:
        doubts.append(f"{numbers.doubt}; set `time_format` or `time_unit` in {column.key}")
    if doubts and must_decide:
        raise TooFewRowsError(f"{column.subject} cannot be read as times: {doubts[0]}")
    return TimeNotation(column, layouts, numbers, doubts[0] if doubts else "")


def _is_stray(column: WholeColumn, numbers: NumberedTime) -> bool:
    """Whether numbers are so few beside texts that they are placeholders such as 0, rather than times since 1970."""
    if numbers.is_given or numbers.unit not in UNITS:
        return False
    is_number = "try_cast(v AS DOUBLE) IS NOT NULL"
    texts, others = column.totals(
        column.parts_of_text(),
        f"count(*) FILTER (WHERE NOT ({is_number}))",
        f"count(*) FILTER (WHERE {is_number})",
    )
    return is_clear(texts, others) and not any(column.parts_of_numbers())


def read_text(text: str, layouts: Iterable[tuple[str, int]]) -> str:
    """Return the SQL of a text as a TIMESTAMP by formats of `strptime` with the minutes east of UTC that they imply."""
    stamps = []
    for time_format, offset in layouts:
        # One call per format: within a list of formats, DuckDB carries the offset that `%z` reads over to other rows.
        stamp = f"CAST(try_strptime({text}, {sql_string(time_format)}) AS TIMESTAMP)"
        stamps.append(_in_range(f"({stamp} - INTERVAL ({offset}) MINUTE)" if offset else stamp))
    return f"coalesce({', '.join(stamps)})" if len(stamps) > 1 else "".join(stamps) or "CAST(NULL AS TIMESTAMP)"


def _is_timestamp(sql_type: str) -> bool:
    return sql_type.startswith(("TIMESTAMP", "DATE")) and not sql_type.endswith("]")


def _in_range(stamp: str) -> str:
    return f"CASE WHEN {stamp} BETWEEN {FIRST} AND {LAST} THEN {stamp} END"


@dataclass
class _Formats:
    """The formats of the texts of a column, found by the shapes of values that no format found before reads."""

    column: WholeColumn
    layouts: Counter[TimeLayout] = field(default_factory=Counter)  # with the values seen of each

    def decide(self) -> tuple[tuple[tuple[str, int], ...], list[str]]:
        """Return the formats with their offsets, the most frequent first, and why they may be wrong."""
        for _ in range(_ROUNDS):
            known = len(self.layouts)
            for part in self.column.parts_of_text():
                self._look_at(self._unread(), self.column.select(part))
            if len(self.layouts) == known:
                break
        frequent = [layout for layout, _ in self.layouts.most_common()]
        open_layouts = [layout for layout in frequent if len(layout.formats) > 1]
        order, doubts = _order(self.column, open_layouts) if open_layouts else ("", [])
        formats = [dict(layout.formats).get(order) or layout.formats[0][1] for layout in frequent]
        return tuple(zip(formats, (layout.offset for layout in frequent), strict=True)), doubts

    def _look_at(self, unread: str, values: str) -> None:
        shapes = self.column.log.sql(
            f"SELECT translate(v, {_DIGITS}) AS shape, count(*) FROM ("
            f"SELECT v FROM ({values}) WHERE {unread} LIMIT {_SAMPLE}) WHERE length(v) <= {_LONGEST} GROUP BY shape"
        )
        for shape, count in shapes:
            layout = layout_of(shape)
            if layout is not None:
                self.layouts[layout] += count

    def _unread(self) -> str:
        conditions = ["try_cast(v AS DOUBLE) IS NULL"]
        formats = [(time_format, 0) for layout in self.layouts for _, time_format in layout.formats]
        if formats:
            conditions.append(f"{read_text('v', formats)} IS NULL")
        return " AND ".join(conditions)


def _order(column: WholeColumn, layouts: Sequence[TimeLayout]) -> tuple[str, list[str]]:
    """Return the order of day, month and year that the dates of a column have, and why it may be another."""
    dates: Counter[tuple[int, int, str]] = Counter()
    for part in column.parts_of_text():
        found = f"regexp_extract(v, {sql_string(_NUMERIC_DATE)}, 1)"
        for date, count in column.log.sql(f"SELECT {found} AS d, count(*) FROM ({column.select(part)}) GROUP BY d"):
            if date:
                first, second, year = date.replace("/", "-").replace(".", "-").split("-")
                dates[int(first), int(second), year.strip()] += count
    formats = dict(layouts[0].formats)
    day_first, month_first, year_first = (
        Counter({date: count for date, count in dates.items() if fits(*date)})
        for fits in (
            lambda first, second, year: 1 <= first <= 31 and 1 <= second <= 12,
            lambda first, second, year: 1 <= first <= 12 and 1 <= second <= 31,
            lambda first, second, year: len(year) == 2 and 1 <= second <= 12 and 1 <= int(year) <= 31,
        )
    )
    named = [formats[DAY_FIRST], formats[MONTH_FIRST]]
    only_day, only_month = (day_first - month_first).total(), (month_first - day_first).total()
    if YEAR_FIRST in formats and is_clear(year_first.total(), (dates - year_first).total()):
        # The year is the number that varies least; where none does, the text does not tell.
        firsts, lasts = len({first for first, _, _ in dates}), len({year for _, _, year in dates})
        last_fit = max(day_first.total(), month_first.total())
        if firsts < lasts or not is_clear(last_fit, dates.total() - last_fit):
            return YEAR_FIRST, []
        if firsts == lasts:
            return DAY_FIRST, [_both([*named, formats[YEAR_FIRST]], column.key)]
    if is_clear(only_day, only_month):
        return DAY_FIRST, []
    if is_clear(only_month, only_day):
        return MONTH_FIRST, []
    if only_day or only_month:
        reading = f"{only_day:,} dates fit only '{named[0]}' and {only_month:,} only '{named[1]}'"
        return DAY_FIRST, [f"{reading}; set `time_format` in {column.key} to the right one"]
    if all(first == second for first, second, _ in dates):
        return DAY_FIRST, []
    return DAY_FIRST, [_both(named, column.key)]


def _both(formats: Sequence[str], key: str) -> str:
    listed = " and ".join(f"'{each}'" for each in formats)
    return f"every date fits {listed}; set `time_format` in {key} to the right one"
