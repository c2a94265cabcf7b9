"""RecBole's atomic files: `NAME.inter`, `NAME.item`, `NAME.user`, or `NAME.train.inter` and so on with a split.

Tab-separated, with a header of `field:type`; the types are token, token_seq (words separated by spaces) and float. The
files have no quoting, so tabs and line breaks in values become spaces. RecBole reads them by pandas, which takes a
double quote at the start of a field for quoting: it becomes an apostrophe.
"""

from __future__ import annotations

from collections.abc import Sequence

from interestrec.conversion.target_layout import Destination
from interestrec.conversion.text_tables import (
    TextColumn,
    copy_rows,
    event_columns,
    event_files,
    item_columns,
    user_columns,
)
from interestrec.core.errors import DataError
from interestrec.rawfiles.raw_log import RawLog

_UNSAFE = '[\\t\\r\\n]|^"'


def write_recbole(log: RawLog, destination: Destination) -> None:
    """Write the atomic files.

    Raises:
        DataError: two ids become equal without tabs, line breaks and leading quotes.
    """
    events = event_columns(log)
    _count_changes(log, "portable_events", events)
    for infix, condition in event_files(destination):
        _copy(log, destination, f"{infix}.inter", events, f"portable_events WHERE {condition}", "ord, place")
    _write_table(log, destination, ".item", item_columns(log), "portable_items")
    if log.rows("users"):
        _write_table(log, destination, ".user", user_columns(log), "users")


def _write_table(log: RawLog, destination: Destination, suffix: str, columns: Sequence[TextColumn], table: str) -> None:
    _count_changes(log, table, columns)
    _copy(log, destination, suffix, columns, table, "ord")


def _copy(
    log: RawLog, destination: Destination, suffix: str, columns: Sequence[TextColumn], relation: str, order: str
) -> None:
    fields = [
        TextColumn(
            f"{_safe_name(column.name)}:{column.kind}",
            column.expression if column.kind == "float" else _safe(column.expression),
            column.kind,
        )
        for column in columns
    ]
    path = destination.directory / f"{destination.name}{suffix}"
    copy_rows(log, path, fields, relation, order, "DELIMITER '\t', QUOTE '', ESCAPE ''")


def _safe(text: str) -> str:
    """Return the SQL of a text that a file without quoting can hold."""
    return f"regexp_replace(regexp_replace({text}, '[\\t\\r\\n]+', ' ', 'g'), '^\"', '''')"


def _safe_name(name: str) -> str:
    return name.translate(dict.fromkeys(map(ord, ':\t\r\n"'), "_"))


def _count_changes(log: RawLog, table: str, columns: Sequence[TextColumn]) -> None:
    """Count the values that change; two ids of a table must not become one."""
    for column in columns:
        if column.kind == "float":
            continue
        unsafe = f"regexp_matches({column.expression}, '{_UNSAFE}')"
        rows, changed = log.sql(f"SELECT count(*), count(*) FILTER (WHERE {unsafe}) FROM {table}")[0]
        if not changed:
            continue
        if column.name in ("user_id", "item_id"):
            before, after = log.sql(
                f"SELECT count(DISTINCT {column.expression}), count(DISTINCT {_safe(column.expression)}) FROM {table}"
            )[0]
            if after < before:
                raise DataError(
                    f"{before - after} ids in {column.name} differ only by tabs, line breaks or a quote, which the "
                    "files of RecBole cannot hold; write --as parquet, or give these ids other names"
                )
        reason = f"{changed} values of {column.name} lost a tab, a line break or a leading quote; no row is left out"
        log.quality.count("values changed for RecBole", rows, rows, reason)
