"""Which rows of a table are read: by conditions of the configuration, and by what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.section import Section
from interestrec.formats.quality_log import EXAMPLES
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import require
from interestrec.formats.table_settings import RowCondition


@dataclass(frozen=True)
class RowCheck:
    """Why rows are left out, and under what they are counted."""

    rule: str  # of quality.json; empty for a malformed row
    wrong: str  # SQL that is true of the rows
    reason: str  # a plain sentence; of a malformed row with the slots of `RawLog.refuse`
    value: str = "NULL"  # SQL of what is wrong in the file; rows left out under a rule are shown by it, not by place
    counts: tuple[str, ...] = ()  # SQL of the counts that the reason has slots for


def columns_of(mapping: Section, where: Sequence[RowCondition] = ()) -> list[str]:
    """All columns that a mapping and conditions name."""
    values = mapping.model_dump(exclude={"category_separator"}).values()
    names = [name for value in values for name in (value if isinstance(value, list) else [value]) if name]
    return list(dict.fromkeys([*names, *(condition.column for condition in where)]))


def leave_out(log: RawLog, checks: Iterable[RowCheck], relation: str = "raw") -> str:
    """Count the rows of a relation with `_row` by the first check that they meet; the relation of those that meet none.

    Malformed rows go to `bad_rows`; a check that is null of a row is not met.
    """
    checks = list(checks)
    if not checks:
        return f"(FROM {relation})"
    first = "CASE " + " ".join(f"WHEN {check.wrong} THEN {n}" for n, check in enumerate(checks)) + " END"
    found = log.sql(
        f"SELECT failed, count(*), min(_row, {EXAMPLES}) FROM (SELECT _row, {first} AS failed FROM {relation}) "
        "GROUP BY failed"
    )
    counts = {failed: (count, rows) for failed, count, rows in found}
    left = sum(count for count, _ in counts.values())
    for n, check in enumerate(checks):
        count, rows = counts.get(n, (0, []))
        met = f"{relation} WHERE ({first}) = {n}"
        if check.rule:
            log.leave_out(check.rule, left, left - count, check.reason, **_shown(log, check, met, rows))
        elif count:
            log.refuse(met, check.reason, check.value, check.counts)
        left -= count
    return f"(FROM {relation} WHERE ({first}) IS NULL)"


def _shown(log: RawLog, check: RowCheck, met: str, rows: list[int]) -> dict[str, list[str]]:
    if check.value == "NULL" or not rows or not log.quality.quotes:
        return {"places": [f"{log.source}:{row}" for row in rows]}
    found = log.sql(
        f"SELECT {check.value} AS shown, count(*) AS n FROM {met} GROUP BY shown "
        f"ORDER BY n DESC, shown LIMIT {EXAMPLES}"
    )
    return {"examples": [f"{shown} ({count})" for shown, count in found]}


def filter_checks(columns: dict[str, str], path: Path, key: str, where: Sequence[RowCondition]) -> list[RowCheck]:
    """One check per condition: rows pass when all conditions hold."""
    checks = []
    for position, condition in enumerate(where):
        column = require(list(columns), condition.column, path, f"{key}.{position}.column")
        [(test, value)] = condition.model_dump(exclude={"column"}, exclude_none=True).items()
        reason = f"{path.name}: kept where {condition.column} {test.replace('_', ' ')} {value}"
        checks.append(RowCheck("filter", f"NOT coalesce({_TESTS[test](column, value)}, false)", reason))
    return checks


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
