"""Which rows of a table are read: by conditions of the configuration, and by what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.formats.raw_log import EXAMPLES, RawLog, quoted
from interestrec.formats.raw_tables import require


@dataclass(frozen=True)
class RowCheck:
    """Why rows are left out: SQL that is true of them, and under what they are counted."""

    rule: str  # of quality.json; empty for a malformed row
    wrong: str
    reason: str  # plain text, or SQL of it for a malformed row
    shows: str | None = None  # SQL of what stands for the rows as examples, by count; None: file and row


def named(mapping: Mapping[str, Any], filters: list[dict[str, Any]]) -> list[str]:
    """All columns that a mapping and its filters name."""
    names = [name for value in mapping.values() for name in (value if isinstance(value, list) else [value]) if name]
    return list(dict.fromkeys([*names, *(condition["column"] for condition in filters)]))


def leave_out(log: RawLog, path: Path, checks: list[RowCheck]) -> str:
    """Count the rows of `raw` by the first check that they meet; SQL that is true of the rows that meet none."""
    if not checks:
        return "true"
    first = " ".join(f"WHEN {check.wrong} THEN {n}" for n, check in enumerate(checks))
    found = log.sql(
        f"SELECT failed, count(*), min(_row, {EXAMPLES}) FROM (SELECT _row, CASE {first} END AS failed FROM raw) "
        "GROUP BY failed"
    )
    counts = {failed: (count, rows) for failed, count, rows in found}
    left = sum(count for count, _ in counts.values())
    for n, check in enumerate(checks):
        count, rows = counts.get(n, (0, []))
        if check.rule:
            log.quality.count(check.rule, left, left - count, check.reason, **_shown(log, path, check, n, first, rows))
        elif count:
            log.db.execute(
                f"INSERT INTO bad_rows SELECT {quoted(str(path))}, _row, {check.reason} FROM raw "
                f"WHERE (CASE {first} END) = {n}"
            )
        left -= count
    return f"(CASE {first} END) IS NULL"


def _shown(log: RawLog, path: Path, check: RowCheck, n: int, first: str, rows: list[int]) -> dict[str, list[str]]:
    if check.shows is None or not rows or not log.quality.quotes:
        return {"places": [f"{path}:{row}" for row in rows]}
    found = log.sql(
        f"SELECT {check.shows} AS shown, count(*) AS n FROM raw WHERE (CASE {first} END) = {n} "
        f"GROUP BY shown ORDER BY n DESC, shown LIMIT {EXAMPLES}"
    )
    return {"examples": [f"{shown} ({count})" for shown, count in found]}


def filter_checks(columns: dict[str, str], path: Path, key: str, where: list[dict[str, Any]]) -> list[RowCheck]:
    """One check a condition: rows pass when all conditions hold."""
    checks = []
    for position, condition in enumerate(where):
        column = require(list(columns), condition["column"], path, f"{key}.{position}.column")
        test, value = next((k, v) for k, v in condition.items() if k != "column" and v is not None)
        reason = f"{path.name}: kept where {condition['column']} {test.replace('_', ' ')} {value}"
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
