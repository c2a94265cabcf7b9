"""Counts of values that are left empty because they cannot be read, for columns whose rows stay."""

from __future__ import annotations

from interestrec.columns.number_notations import NumberNotation
from interestrec.columns.time_notations import TimeNotation
from interestrec.columns.whole_columns import is_missing
from interestrec.rawfiles.quality_log import EXAMPLES, one_line
from interestrec.rawfiles.raw_log import RawLog


def count_unreadable(notation: NumberNotation | TimeNotation, rows: str, sql_type: str, subject: str) -> None:
    """Count the values of a relation that a notation does not read, under the rule `unreadable <subject>`.

    Args:
        rows: relation with the column.
        sql_type: type of the column in it.
        subject: what the values are, in the plural.
    """
    text, reason = notation.column.text(sql_type), f"not read as {notation.sentence}: left empty"
    _count(notation.column.log, rows, text, notation.unreadable(sql_type), subject, reason)


def count_unread(log: RawLog, rows: str, text: str, value: str, subject: str, reason: str) -> None:
    """Count the values of a relation that an expression does not read, under the rule `unreadable <subject>`.

    Args:
        rows: relation with what the expressions refer to.
        text: SQL of the trimmed text; where it is missing there is nothing to read.
        value: SQL of what is read.
        subject: what the values are, in the plural.
        reason: what is wrong with them, as a phrase.
    """
    unread = f"NOT ({is_missing(text)}) AND {value} IS NULL"
    _count(log, rows, text, unread, subject, f"{reason}: left empty")


def _count(log: RawLog, rows: str, text: str, unread: str, subject: str, reason: str) -> None:
    total = log.number(f"SELECT count(*) FROM {rows}")
    found = log.sql(
        f"SELECT {text} AS shown, count(*) AS n FROM (FROM {rows}) WHERE {unread} GROUP BY shown ORDER BY n DESC, shown"
    )
    n_unread = sum(count for _, count in found)
    examples = [f"{one_line(str(shown))} ({count})" for shown, count in found[:EXAMPLES]]
    log.quality.count(f"unreadable {subject}", total, total - n_unread, reason, examples)
