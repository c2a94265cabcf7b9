"""The one reader of ids: decides over a whole column how its ids are written, and reads them as text.

A whole number is the same id as an integer, as a decimal and as a float: `17850` and `17850.0`. Leading zeros belong to
an id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from interestrec.columns.whole_columns import TEXT_TYPES, WholeColumn
from interestrec.core.section import Count, Section
from interestrec.rawfiles.raw_tables import identifier

_NUMBER = "[+-]?[0-9]+(?:[.][0-9]*)?(?:[eE][+]?[0-9]+)?"


class IdSpelling(Section):
    """How ids are spelled alike where the tables of a log spell them differently."""

    zero_pad: Count | None = None
    """Characters that zeros fill an id up to on the left: with 10, `108775015` becomes `0108775015`."""
    strip_zeros: bool = False
    """With `true`, ids lose their leading zeros."""
    strip_fraction: bool = False
    """With `true`, ids lose `.0` at the end, even in a column where not all ids are numbers."""
    case: Literal["lower", "upper"] | None = None
    """Case that the letters of ids are changed to: `lower` or `upper`; `null` = none."""

    def expression(self, text: str) -> str:
        """Return the SQL of an id in this spelling; `text` is the SQL of the id as it is read."""
        if self.strip_fraction:
            text = f"regexp_replace({text}, '[.]0+$', '')"
        if self.strip_zeros:
            bare = f"coalesce(nullif(ltrim({text}, '0'), ''), '0')"
            text = f"CASE WHEN starts_with({text}, '0') THEN {bare} ELSE {text} END"
        if self.zero_pad is not None:
            width = self.zero_pad
            text = f"CASE WHEN length({text}) < {width} THEN lpad({text}, {width}, '0') ELSE {text} END"
        return text if self.case is None else f"{self.case}({text})"


AS_READ = IdSpelling()


@dataclass(frozen=True)
class IdNotation:
    """How the ids of a column are written."""

    column: WholeColumn
    has_fractions: bool = False  # whether texts such as `17850.0` are whole numbers
    has_exponents: bool = False  # and such as `1.785e+04`
    spelling: IdSpelling = AS_READ

    def expression(self, sql_type: str) -> str:
        """Return the SQL of an id of this type as text, null where it is missing."""
        return self.spelling.expression(self._as_read(sql_type))

    def _as_read(self, sql_type: str) -> str:
        text = self.column.text(sql_type)
        if sql_type in ("DOUBLE", "FLOAT"):
            return float_id(identifier(self.column.name))
        if sql_type.startswith("DECIMAL"):
            return f"regexp_replace({text}, '[.]0+$', '')"
        if sql_type not in TEXT_TYPES or not self.has_fractions:
            return text
        short = f"regexp_replace({text}, '[.]0*$', '')"
        if not self.has_exponents:
            return short
        is_whole = f"try_cast({text} AS DOUBLE) = floor(try_cast({text} AS DOUBLE))"
        whole = f"CAST(try_cast({text} AS HUGEINT) AS VARCHAR)"
        return (
            f"CASE WHEN regexp_matches({text}, '[eE]') AND {is_whole} THEN coalesce({whole}, {text}) ELSE {short} END"
        )


def float_id(number: str) -> str:
    """Return the SQL of a DOUBLE or FLOAT as an id: a whole number without its fraction; null for NaN and infinity."""
    text = f"CAST({number} AS VARCHAR)"
    whole = f"coalesce(CAST(try_cast({number} AS HUGEINT) AS VARCHAR), {text})"
    either = f"CASE WHEN {number} = floor({number}) THEN {whole} ELSE {text} END"
    return f"CASE WHEN isfinite({number}) THEN {either} END"


def decide_id(column: WholeColumn, spelling: IdSpelling = AS_READ) -> IdNotation:
    """Decide how the ids of a column are written: whether texts such as `17850.0` are whole numbers.

    They are where all values of the column are numbers.

    Args:
        spelling: changes to ids that the configuration asks for.

    Raises:
        DataError: the column holds bytes that are not text.
    """
    look = "count(*) FILTER (WHERE contains(v, '.') OR contains(v, 'e+') OR contains(v, 'E+'))"
    [candidates] = column.totals(column.parts_of_text(), look)
    if not candidates:
        return IdNotation(column, spelling=spelling)
    others, exponents = column.totals(
        column.parts_of_text(),
        f"count(*) FILTER (WHERE NOT regexp_full_match(v, '{_NUMBER}'))",
        "count(*) FILTER (WHERE contains(lower(v), 'e'))",
    )
    return IdNotation(column, not others, not others and exponents > 0, spelling)
