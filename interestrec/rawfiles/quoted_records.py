"""Records of CSV and its relatives (RFC 4180): fields may be quoted, and quoted fields may span lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interestrec.core.deferred_import import pa, pc
from interestrec.rawfiles.raw_log import RawLog, sql_string

_MAX_LINES = 10_000  # per record; a quote that stays open for longer is a stray character


def split_fields(log: RawLog, lines: pa.Table, delimiter: str) -> None:
    """Create the table `fields` (row, f VARCHAR[]): the unquoted fields, null where the quoting is malformed."""
    field, record = _patterns(delimiter)
    # Every match begins with a delimiter, so that no match is empty.
    fields = (
        f"regexp_extract_all({sql_string(delimiter)} || line, {sql_string(f'(?s){re.escape(delimiter)}({field})')}, 1)"
    )
    unquote = "lambda x: CASE WHEN starts_with(x, '\"') THEN replace(x[2:-2], '\"\"', '\"') ELSE x END"
    log.load("lines", lines)
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE fields AS SELECT row, CASE "
        f"WHEN NOT contains(line, '\"') THEN string_split(line, {sql_string(delimiter)}) "
        f"WHEN regexp_full_match(line, {sql_string(record)}) THEN list_transform({fields}, {unquote}) END AS f "
        "FROM lines WHERE line <> ''"
    )


def _patterns(delimiter: str) -> tuple[str, str]:
    """Return the regular expressions of a field and of a complete record."""
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{d}][^{d}]*|)'
    return field, f"(?s){field}(?:{d}{field})*"


def join_records(log: RawLog, blocks: Iterator[pa.Table], delimiter: str) -> Iterator[pa.Table]:
    """Yield tables (row, line) with one line per record, joining records whose quoted fields span lines or blocks.

    A line that is a complete record stays one: a single quote within an unquoted field is harmless. `read_lines`
    counts every line as read; this function corrects the count to one per record.
    """
    record = re.compile(_patterns(delimiter)[1])
    pending: list[tuple[int, str]] = []
    for block in blocks:
        quotes = block["line"].filter(pc.match_substring(block["line"], '"'))
        if not pending and all(record.fullmatch(text) for text in quotes.to_pylist()):
            yield block
            continue
        lines = [*pending, *zip(block["row"].to_pylist(), block["line"].to_pylist(), strict=True)]
        joined, pending = _join(lines, record)
        log.rows_read += _nonempty_count(joined) + _nonempty_count(pending) - _nonempty_count(lines)
        yield _line_table(joined)
    if pending:
        yield _line_table(pending)


def _nonempty_count(lines: list[tuple[int, str]]) -> int:
    return sum(text != "" for _, text in lines)


def _join(lines: list[tuple[int, str]], record: re.Pattern[str]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the records (row, text) of some lines, and the lines of a record that is still open at the end.

    A line that opens a quote and is not a complete record continues to the line that closes the quote.
    """
    joined: list[tuple[int, str]] = []
    pending: list[tuple[int, str]] = []
    for row, text in lines:
        odd = text.count('"') % 2 == 1
        if not pending and (not odd or record.fullmatch(text)):
            joined.append((row, text))
            continue
        pending.append((row, text))
        if odd and len(pending) > 1:
            joined.append((pending[0][0], "\n".join(part for _, part in pending)))
            pending = []
        elif len(pending) > _MAX_LINES:
            joined.extend(pending)
            pending = []
    return joined, pending


def _line_table(rows: list[tuple[int, str]]) -> pa.Table:
    return pa.table(
        {
            "row": pa.array([row for row, _ in rows], pa.int64()),
            "line": pa.array([t for _, t in rows], pa.large_string()),
        }
    )
