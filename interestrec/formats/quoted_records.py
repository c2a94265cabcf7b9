"""Records of CSV and its relatives (RFC 4180): fields may be quoted, and quoted fields may span lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interestrec.core.deferred_import import pa, pc
from interestrec.formats.raw_log import RawLog, quoted

_MOST_LINES = 10_000  # of one record; a quote that is open for longer was never meant to be one


def split_fields(log: RawLog, lines: pa.Table, delimiter: str) -> None:
    """Table `fields` (row, f VARCHAR[]): the fields without their quotes, null where the quotes are wrong."""
    field, record = _patterns(delimiter)
    # Every match begins with a delimiter, so that no match is empty.
    fields = f"regexp_extract_all({quoted(delimiter)} || line, {quoted(f'(?s){re.escape(delimiter)}({field})')}, 1)"
    bare = "lambda x: CASE WHEN starts_with(x, '\"') THEN replace(x[2:-2], '\"\"', '\"') ELSE x END"
    log.load("lines", lines)
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE fields AS SELECT row, CASE "
        f"WHEN NOT contains(line, '\"') THEN string_split(line, {quoted(delimiter)}) "
        f"WHEN regexp_full_match(line, {quoted(record)}) THEN list_transform({fields}, {bare}) END AS f "
        "FROM lines WHERE line <> ''"
    )


def _patterns(delimiter: str) -> tuple[str, str]:
    """Regular expressions of a field and of a whole record."""
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{d}][^{d}]*|)'
    return field, f"(?s){field}(?:{d}{field})*"


def whole_records(log: RawLog, blocks: Iterator[pa.Table], delimiter: str) -> Iterator[pa.Table]:
    """Tables (row, line) in which a record whose quoted fields span lines is one line, whatever block it began in.

    A line that is a record by itself stays one: a lone quote within an unquoted field is harmless. Each line of the
    blocks counts as read; here the lines of one record become one.
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
        log.rows_read += _filled(joined) + _filled(pending) - _filled(lines)
        yield _lines(joined)
    if pending:
        yield _lines(pending)


def _filled(lines: list[tuple[int, str]]) -> int:
    return sum(text != "" for _, text in lines)


def _join(lines: list[tuple[int, str]], record: re.Pattern[str]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Records of (row, text) from lines, and the lines of one that is still open at the end.

    A line that is no record by itself, for it opens a quote, goes on to the line with the quote that closes it.
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
        elif len(pending) > _MOST_LINES:
            joined.extend(pending)
            pending = []
    return joined, pending


def _lines(rows: list[tuple[int, str]]) -> pa.Table:
    return pa.table(
        {
            "row": pa.array([row for row, _ in rows], pa.int64()),
            "line": pa.array([t for _, t in rows], pa.large_string()),
        }
    )
