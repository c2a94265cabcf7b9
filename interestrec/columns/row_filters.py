"""Selection of the rows of a table: by conditions of the configuration and by checks for malformed rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.columns.table_settings import RowCondition
from interestrec.core.section import Section
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import require_column


@dataclass(frozen=True)
class RowCheck:
    """A check of rows, the reason to leave out those that meet it, and the rule they are counted under."""

    rule: str  # rule of quality.json; empty for malformed rows
    condition: str  # SQL that is true for rows to leave out
    reason: str  # a plain sentence; for malformed rows it may have the placeholders of `RawLog.refuse`
    value: str = "NULL"  # SQL of the raw value at fault; where there is one, examples show it instead of the place
    counts: tuple[str, ...] = ()  # SQL of the counts that the reason has placeholders for


def mapped_columns(mapping: Section, where: Sequence[RowCondition] = ()) -> list[str]:
    """Return all columns that a mapping and conditions name."""
    values = mapping.model_dump(exclude={"category_separator"}).values()
    names = [name for value in values for name in (value if isinstance(value, list) else [value]) if name]
    return list(dict.fromkeys([*names, *(condition.column for condition in where)]))


def leave_out(log: RawLog, checks: Iterable[RowCheck], relation: str = "raw") -> str:
    """Count the rows of a relation with `_row` by the first check they meet, and return the relation of the others.

    Malformed rows go to `bad_rows`. A condition that is null for a row is not met.
    """
    checks = list(checks)
    if not checks:
        return f"(FROM {relation})"
    first = "CASE " + " ".join(f"WHEN {check.condition} THEN {n}" for n, check in enumerate(checks)) + " END"
    groups = log.sql(
        f"SELECT failed, count(*), min(_row, {EXAMPLES}) FROM (SELECT _row, {first} AS failed FROM {relation}) "
        "GROUP BY failed"
    )
    counts = {failed: (count, rows) for failed, count, rows in groups}
    remaining = sum(count for count, _ in counts.values())
    for n, check in enumerate(checks):
        count, rows = counts.get(n, (0, []))
        matching = f"{relation} WHERE ({first}) = {n}"
        if check.rule:
            log.leave_out(
                check.rule, remaining, remaining - count, check.reason, **_evidence(log, check, matching, rows)
            )
        elif count:
            log.refuse(matching, check.reason, check.value, check.counts)
        remaining -= count
    return f"(FROM {relation} WHERE ({first}) IS NULL)"


def _evidence(log: RawLog, check: RowCheck, matching: str, rows: list[int]) -> dict[str, list[str]]:
    if check.value == "NULL" or not rows or not log.quality.quotes:
        return {"places": [log.row_place(row) for row in rows]}
    frequent = log.sql(
        f"SELECT {check.value} AS shown, count(*) AS n FROM {matching} GROUP BY shown "
        f"ORDER BY n DESC, shown LIMIT {EXAMPLES}"
    )
    return {"examples": [f"{shown} ({count})" for shown, count in frequent]}


def filter_checks(columns: dict[str, str], path: Path, key: str, where: Sequence[RowCondition]) -> list[RowCheck]:
    """Return one check per condition of the configuration; a row is kept when all conditions hold."""
    checks = []
    for position, condition in enumerate(where):
        column = require_column(list(columns), condition.column, path, f"{key}.{position}.column")
        [(test, value)] = condition.model_dump(exclude={"column"}, exclude_none=True).items()
        reason = f"{path.name}: kept where {condition.column} {test.replace('_', ' ')} {value}"
        checks.append(RowCheck("filter", f"NOT coalesce({_TESTS[test](column, value)}, false)", reason))
    return checks


def _equals(column: str, value: Any) -> str:
    if isinstance(value, str):
        return f"CAST({column} AS VARCHAR) = {sql_string(value)}"
    return f"try_cast({column} AS DOUBLE) = {value!r}"


# Key of a condition -> function of a column and the condition's value that returns SQL.
_TESTS = {
    "equals": _equals,
    "one_of": lambda column, values: "(" + " OR ".join(_equals(column, value) for value in values) + ")",
    "above": lambda column, value: f"try_cast({column} AS DOUBLE) > {value!r}",
    "below": lambda column, value: f"try_cast({column} AS DOUBLE) < {value!r}",
    "not_prefix": lambda column, value: f"NOT starts_with(CAST({column} AS VARCHAR), {sql_string(value)})",
    "not_null": lambda column, value: f"{column} IS NOT NULL",
}
