"""A column over all files of a table, for decisions on how its values are written, and its values as clean text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import identifier

# Texts that stand for a missing value, as R, pandas, databases and spreadsheets write them; case does not matter.
NULL_VALUES = ("NA", "N/A", "#N/A", "<NA>", "NaN", "NaT", "NULL", "(null)", "None", "nil", "\\N", "-", "?", "undefined")
TEXT_TYPES = ("VARCHAR", "BLOB", "JSON")
_SPACES = " \t\r\n\u00a0\u2007\u202f\ufeff"  # white space that `trim` alone would leave
_CLEAR = 10  # of two contradicting readings one is chosen if at least this many times as many values speak for it


def is_clear(values_for: int, values_against: int) -> bool:
    """Whether values speak for a reading clearly: at least ten times as many as speak against it."""
    return values_for > 0 and values_for >= _CLEAR * values_against


def is_number_type(sql_type: str) -> bool:
    """Whether a type of SQL is a number; a list of numbers is none."""
    is_decimal = sql_type.startswith("DECIMAL") and not sql_type.endswith("]")
    return is_whole_type(sql_type) or sql_type in ("DOUBLE", "FLOAT") or is_decimal


def is_whole_type(sql_type: str) -> bool:
    """Whether a type of SQL is a whole number."""
    return sql_type.endswith(("INT", "INTEGER"))


def is_missing(text: str, nulls: Sequence[str] = NULL_VALUES) -> str:
    """Return the SQL of whether a text without white space around it stands for a missing value."""
    words = ", ".join(sql_string(word) for word in sorted({"", *(null.strip().lower() for null in nulls)}))
    return f"lower({text}) IN ({words})"


@dataclass(frozen=True)
class ColumnPart:
    """The part of a column in one file."""

    relation: str  # a table, a view or a query in parentheses
    sql_type: str


@dataclass(frozen=True)
class WholeColumn:
    """A column over all files of a table, or over the first rows of each where the log reads a sample.

    Args:
        log: the log whose database has the relations.
        name: of the column in every relation.
        parts: relations with the type that the column has in them.
        nulls: texts that stand for a missing value.
        place: names the file in messages.
        key: configuration key of the table in messages, such as `data.events`.
    """

    log: RawLog
    name: str
    parts: tuple[ColumnPart, ...]
    nulls: tuple[str, ...] = NULL_VALUES
    place: str = "the log"
    key: str = "data"

    @property
    def subject(self) -> str:
        """The column as the subject of a message."""
        return f"{self.place}: the column '{self.name}'"

    def parts_of_text(self) -> Iterator[ColumnPart]:
        """Yield the parts whose values are text or bytes."""
        return (part for part in self.parts if part.sql_type in TEXT_TYPES)

    def parts_of_numbers(self) -> Iterator[ColumnPart]:
        """Yield the parts whose type is a number."""
        return (part for part in self.parts if is_number_type(part.sql_type))

    def totals(self, parts: Iterator[ColumnPart], *aggregates: str) -> list[int]:
        """Return the sums over parts of aggregates: SQL over `v`, the value as clean text or as it is typed."""
        sums = [0] * len(aggregates)
        for part in parts:
            query = f"SELECT {', '.join(aggregates)} FROM ({self.select(part)})"
            sums = [total + int(value or 0) for total, value in zip(sums, self.log.sql(query)[0], strict=True)]
        return sums

    def select(self, part: ColumnPart) -> str:
        """Return the SQL of the values `v` of a part that are not missing: clean text, else as they are typed."""
        return f"SELECT v FROM (SELECT {self.typed(part.sql_type)} AS v FROM {part.relation}) WHERE v IS NOT NULL"

    def typed(self, sql_type: str) -> str:
        """Return the SQL of a value: clean text where the file has text or bytes, else as it is typed."""
        return self.text(sql_type) if sql_type in TEXT_TYPES else identifier(self.name)

    def text(self, sql_type: str) -> str:
        """Return the SQL of a value as text without white space around it, null where it is missing."""
        raw = _raw_text(self.name, sql_type)
        if sql_type not in TEXT_TYPES:
            if sql_type in ("DOUBLE", "FLOAT"):
                return f"CASE WHEN isfinite({identifier(self.name)}) THEN {raw} END"
            return raw
        is_padded, has_nulls = self._cleaning
        text = f"trim({raw}, {sql_string(_SPACES)})" if is_padded else raw
        return f"CASE WHEN {self._missing(text)} THEN NULL ELSE {text} END" if has_nulls or is_padded else text

    @cached_property
    def _cleaning(self) -> tuple[bool, bool]:
        """Whether a value has white space around it, and whether one stands for a missing value.

        Both are rare, and looking for them costs less than a removal from every value each time it is read.
        """
        padded = has_nulls = 0
        for part in self.parts_of_text():
            raw = _raw_text(self.name, part.sql_type)
            if part.sql_type == "BLOB":
                self._refuse_undecodable(part, raw)
            ends = " OR ".join(f"starts_with(v, {mark}) OR ends_with(v, {mark})" for mark in map(sql_string, _SPACES))
            counts = f"count(*) FILTER (WHERE {ends}), count(*) FILTER (WHERE {self._missing('v')})"
            row = self.log.sql(f"SELECT {counts} FROM (SELECT {raw} AS v FROM {part.relation})")[0]
            padded, has_nulls = padded + row[0], has_nulls + row[1]
        return padded > 0, has_nulls > 0

    def _missing(self, text: str) -> str:
        return is_missing(text, self.nulls)

    def _refuse_undecodable(self, part: ColumnPart, decoded: str) -> None:
        name = identifier(self.name)
        if self.log.number(f"SELECT count(*) FROM {part.relation} WHERE {name} IS NOT NULL AND {decoded} IS NULL"):
            raise DataError(f"{self.subject} holds bytes that are not UTF-8 text; write it as text or as a number")


def _raw_text(name: str, sql_type: str) -> str:
    column = identifier(name)
    if sql_type == "VARCHAR":
        return column
    return f"TRY(decode({column}))" if sql_type == "BLOB" else f"CAST({column} AS VARCHAR)"


def block_column(log: RawLog, name: str) -> WholeColumn:
    """Return a column of text of the relation `raw`, the current block of a file whose layout is fixed."""
    return WholeColumn(log, name, (ColumnPart("raw", "VARCHAR"),), place=log.source)
