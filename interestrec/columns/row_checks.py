"""Checks of rows: those that meet one are left out and counted, or refused as malformed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog


@dataclass(frozen=True)
class RowCheck:
    """A check of rows, the reason to leave out those that meet it, and the rule they are counted under."""

    rule: str  # rule of quality.json; empty for malformed rows
    condition: str  # SQL that is true for rows to leave out
    reason: str  # a plain sentence; for malformed rows it may have the placeholders of `RawLog.refuse`
    value: str = "NULL"  # SQL of the raw value at fault; where there is one, examples show it instead of the place
    counts: tuple[str, ...] = ()  # SQL of the counts that the reason has placeholders for


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
    nothing_failed = not counts.keys() - {None}
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
    return f"(FROM {relation})" if nothing_failed else f"(FROM {relation} WHERE ({first}) IS NULL)"


def _evidence(log: RawLog, check: RowCheck, matching: str, rows: list[int]) -> dict[str, list[str]]:
    if check.value == "NULL" or not rows or not log.quality.quotes:
        return {"places": [log.row_place(row) for row in rows]}
    frequent = log.sql(
        f"SELECT {check.value} AS shown, count(*) AS n FROM {matching} GROUP BY shown "
        f"ORDER BY n DESC, shown LIMIT {EXAMPLES}"
    )
    return {"examples": [f"{shown} ({count})" for shown, count in frequent]}
