"""Columns that tests read: values in a table of a log, and what a notation makes of them."""

from functools import cache
from typing import Any, Protocol

import pyarrow as pa

from interestrec.columns.whole_columns import NULL_VALUES, ColumnPart, WholeColumn
from interestrec.rawfiles.raw_log import RawLog


class Notation(Protocol):
    """What the notations of all kinds of values have in common."""

    @property
    def column(self) -> WholeColumn: ...

    def expression(self, sql_type: str) -> str: ...


@cache
def _log() -> RawLog:
    """One database for all columns, because a new one takes longer than what is asked of it."""
    return RawLog(threads=1)


def column(*files: list[Any] | pa.Array, nulls: tuple[str, ...] = NULL_VALUES) -> WholeColumn:
    """A column `v` over files with these values, lists or Arrow arrays."""
    log = _log()
    parts = []
    for number, values in enumerate(files):
        log.load(f"file{number}", pa.table({"v": values}))
        parts.append(ColumnPart(f"file{number}", log.sql(f"DESCRIBE file{number}")[0][1]))
    return WholeColumn(log, "v", tuple(parts), nulls, "a.csv", "data.events")


def values(notation: Notation) -> list[Any]:
    """All values of a column as the notation reads them."""
    log = notation.column.log
    return [
        value
        for part in notation.column.parts
        for (value,) in log.sql(f"SELECT {notation.expression(part.sql_type)} FROM {part.relation}")
    ]
