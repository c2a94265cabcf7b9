"""Records of delimited files: which quotes enclose fields, and which lines belong together.

A quoted field may span lines, and a stray quote must not swallow rows. A line that is a record on its own stays one.
One that leaves a quote open continues to the line that closes it if the record then has the right number of fields and
the lines are not rows of the file themselves (`RowShapes`); otherwise it is judged alone, its quotes being text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from interestrec.core.deferred_import import pa, pc
from interestrec.core.errors import DataError
from interestrec.rawfiles.file_heads import head_lines, lines_from_first
from interestrec.rawfiles.quote_grammar import Reading, RecordGrammar, joined_lines
from interestrec.rawfiles.quote_usage import quotes_enclose
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.row_shapes import RowShapes
from interestrec.rawfiles.text_layout import AUTOMATIC, NO_QUOTES, TextLayout

_MAX_LINES = 10_000  # per record; a quote that stays open for longer is a stray character
_QUOTE = '"'
_ESCAPED = '\\"'
_Lines = list[tuple[int, str]]  # row and text of each line


@dataclass(frozen=True)
class _Part:
    """Some lines of a file in a row."""

    lines: Sequence[str]
    text: str  # all of them
    starts: Sequence[int]  # position of each in the text
    has_escapes: bool  # whether a backslash precedes a quote somewhere
    at_end: bool  # whether no line follows


class DelimitedFile:
    """A delimited file whose lines become records.

    Args:
        layout: of the file.
        delimiter: the character between fields.
        sparse: whether quotes are text unless the file shows that they enclose fields, as in most tables separated by
            tabs.

    Raises:
        InputMissingError, DataError: the file is missing, empty or no text, or its header has an unclosed quote.
    """

    def __init__(self, path: Path, layout: TextLayout, delimiter: str, sparse: bool) -> None:
        self._path, self._layout = path, layout
        self._automatic = layout.quote == AUTOMATIC
        quote = _QUOTE if self._automatic else None if layout.quote == NO_QUOTES else layout.quote
        self._grammar = RecordGrammar(delimiter, quote, layout.escape)
        # `\"` within quotes, in files whose layout does not say so.
        escapes = self._automatic and layout.escape is None
        self._with_backslash = RecordGrammar(delimiter, quote, "\\", escape_anywhere=False) if escapes else None
        self._head = head_lines(path, layout.encoding)
        first = next((number for number, line in enumerate(self._head) if line), None)
        if first is None:
            raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")
        self._undecided = sparse and self._automatic
        if self._undecided and _QUOTE in self._head[first]:
            self._decide()
        self.header_end = 0  # row of the last line of the header
        self.header: list[str] = []  # the fields of the header; empty where the file has none
        if layout.header:
            self.header, self.header_end = self._read_header(first)

    @cached_property
    def width(self) -> int:
        """Number of columns: of the header, else of most of the first rows."""
        if self.header:
            return len(self.header)
        widths = [len(self._grammar.raw_fields(line)) for line in self._head[:1000] if line]
        return max(sorted(set(widths)), key=widths.count)

    @property
    def quote(self) -> str | None:
        """The quote of the lines that `join` yields."""
        return self._grammar.quote or (_QUOTE if self._grammar.escape else None)

    @cached_property
    def _shapes(self) -> RowShapes:
        return RowShapes(self._grammar, self._head[self.header_end :], self.width)

    @cached_property
    def _strict(self) -> re.Pattern[str] | None:
        return self._grammar.strict_record(self.width)

    @cached_property
    def _strict_with_backslash(self) -> re.Pattern[str] | None:
        return self._with_backslash.strict_record(self.width) if self._with_backslash else None

    def _read_header(self, first: int) -> tuple[list[str], int]:
        text = "\n".join(self._head[first:])
        record = self._grammar.read(text, 0)
        if record.reading is Reading.COMPLETE:
            end = first + 1 + text[: record.end].count("\n")
            width, following, after = len(record.fields), self._head[first + 1 : end], self._head[end:]
            alike = any(len(self._grammar.raw_fields(line)) == width for line in following)
            if not alike or (any(after) and not RowShapes(self._grammar, after, width).are_rows("", following)):
                return record.fields, end
        elif not self._head[first].count(self._grammar.quote or "") % 2:
            return self._grammar.fields_alone(self._head[first]), first + 1
        raise DataError(f"{self._path}:{first + 1}: the header has an unclosed quote; close it, or set `quote: none`")

    def _decide(self) -> None:
        """Settle whether quotes enclose fields, by the lines from the first quote on."""
        self._undecided = False
        lines = lines_from_first(self._path, self._layout.encoding, _QUOTE)
        if not quotes_enclose(self._grammar, self._head, lines):
            self._grammar = RecordGrammar(self._grammar.delimiter, None, self._layout.escape)
            self._with_backslash = None

    def join(self, log: RawLog, blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield tables (row, line) with one line per record after the header, `row` being that of its first line.

        `read_lines` counts every line as read; this function corrects the count to one per record.

        Args:
            blocks: tables of `read_lines`.
        """
        pending: _Lines = []
        for block in blocks:
            block = self._without_header(log, block)
            if self._undecided and _contain(block["line"], _QUOTE)[1]:
                self._decide()
            suspects = self._suspects(block["line"])
            if not pending and suspects is None:
                yield block
                continue
            flags = [False] * block.num_rows if suspects is None else suspects.to_pylist()
            flags = [*(self._has_mark(text) for _, text in pending), *flags]
            lines = [*pending, *zip(block["row"].to_pylist(), block["line"].to_pylist(), strict=True)]
            records, pending = self._records(log, lines, flags, at_end=False)
            yield _line_table(records)
        if pending:
            flags = [self._has_mark(text) for _, text in pending]
            yield _line_table(self._records(log, pending, flags, at_end=True)[0])

    def _has_mark(self, text: str) -> bool:
        """Whether a line has a quote or an escape."""
        return any(mark is not None and mark in text for mark in (self.quote, self._grammar.escape))

    def _without_header(self, log: RawLog, block: pa.Table) -> pa.Table:
        if not self.header_end or not block.num_rows or block["row"][0].as_py() > self.header_end:
            return block
        within = pc.less_equal(block["row"], self.header_end)
        log.rows_read -= pc.sum(pc.not_equal(block["line"].filter(within), "")).as_py() or 0
        return block.filter(pc.invert(within))

    def _suspects(self, lines: pa.ChunkedArray) -> pa.Array | None:
        """Return bool [lines], true for lines that may not be a record on their own; None when all are."""
        grammar = self._grammar
        suspects = None
        if self.quote is not None:
            quoted, found = _contain(lines, self.quote)
            if found:
                # The expression is for the few or many lines that have a quote.
                texts = pc.if_else(quoted, lines, "")
                suspects = pc.and_(quoted, pc.invert(pc.match_substring_regex(texts, grammar.whole_line)))
                if self._with_backslash is not None:
                    suspects = pc.or_(suspects, pc.match_substring(texts, _ESCAPED))
                if grammar.quote is None:
                    suspects = quoted
        if grammar.escape is not None:
            escaped = pc.match_substring(lines, grammar.escape)
            suspects = escaped if suspects is None else pc.or_(suspects, escaped)
        return suspects if suspects is not None and pc.any(suspects).as_py() else None

    def _records(self, log: RawLog, lines: _Lines, suspects: list[bool], at_end: bool) -> tuple[_Lines, _Lines]:
        """Return the records (row, text) of some lines, and the lines of a record that is still open at their end."""
        texts = [text for _, text in lines]
        text, starts = joined_lines(texts)
        part = _Part(texts, text, starts, _ESCAPED in text, at_end)
        records: _Lines = []
        position = 0
        while position < len(lines):
            row = lines[position][0]
            if not suspects[position]:
                # Lines after one that was judged alone are as they were; those within a record are never reached.
                records.append(lines[position])
                position += 1
                continue
            found = self._record(part, position)
            if found is None and not at_end:
                return records, lines[position:]
            if found is None and self._is_cut(log, lines[position:]):
                found = "", len(lines)
            record, end = found or self._alone(texts, position)
            log.rows_read -= sum(line != "" for line in texts[position:end]) - bool(record)
            if record:
                records.append((row, record))
            position = end
        return records, []

    def _record(self, part: _Part, position: int) -> tuple[str, int] | None:
        """Return the record that begins in a line, and the number of the line after it.

        None where the record is still open at the end of the lines.
        """
        texts, text, starts = part.lines, part.text, part.starts
        strict = self._strict and self._strict.match(text, starts[position])
        if strict:
            following = texts[position + 1 : bisect_right(starts, strict.end())]
            if self._belong(texts[position], following):
                return strict[0], position + 1 + len(following)
        escaped = self._strict_with_backslash and self._strict_with_backslash.match(texts[position])
        if escaped and _ESCAPED in escaped[0] and "\\\\" not in escaped[0]:
            if self._may_go_on(part, position):  # with the lines to come, it may be a record without escapes
                return None
            return escaped[0].replace(_ESCAPED, 2 * _QUOTE), position + 1
        is_open = False
        with_backslash = self._with_backslash if part.has_escapes else None
        for grammar in filter(None, (self._grammar, with_backslash)):
            record = grammar.read(text, starts[position])
            if record.reading is Reading.OPEN:
                explains = grammar is self._grammar or _ESCAPED in texts[position]
                is_open |= explains and len(texts) - position <= _MAX_LINES
            if record.reading is not Reading.COMPLETE or len(record.fields) != self.width:
                continue
            if grammar is with_backslash and _ESCAPED not in text[starts[position] : record.end]:
                continue
            following = texts[position + 1 : bisect_right(starts, record.end)]
            if (following and is_open and not part.at_end) or (not following and record.bare):
                continue
            if self._belong(texts[position], following):
                return self._grammar.line_of(record.fields), position + 1 + len(following)
        return None if is_open else self._alone(texts, position)

    def _may_go_on(self, part: _Part, position: int) -> bool:
        """Whether the record that begins in a line is open at the end of the lines, and more are to come."""
        if part.at_end or len(part.lines) - position > _MAX_LINES:
            return False
        return self._grammar.read(part.text, part.starts[position]).reading is Reading.OPEN

    def _belong(self, first: str, following: Sequence[str]) -> bool:
        """Whether the lines that quotes join to a record of the right width are one."""
        if not following or not self._automatic:
            return True
        return len(following) < _MAX_LINES and not self._shapes.are_rows(first, following)

    def _alone(self, texts: Sequence[str], position: int) -> tuple[str, int]:
        """Return a line that is judged alone as a record, and the number of the next line."""
        return self._grammar.line_of(self._grammar.fields_alone(texts[position])), position + 1

    def _is_cut(self, log: RawLog, lines: _Lines) -> bool:
        """Whether a sample ends within the record that begins in the first of some lines."""
        texts = [text for _, text in lines]
        return log.sample is not None and lines[-1][0] >= log.sample and not self._shapes.are_rows(texts[0], texts[1:])


def split_fields(log: RawLog, lines: pa.Table, delimiter: str, quote: str | None) -> None:
    """Create the table `fields` (row, f VARCHAR[]): the unquoted fields of the records that `join` yields."""
    log.load("lines", lines)
    simple = f"string_split(line, {sql_string(delimiter)})"
    fields = simple
    if quote is not None:
        d, q = re.escape(delimiter), re.escape(quote)
        # Every match begins with a delimiter, so that no match is empty.
        pattern = f"(?s){d}({q}(?:[^{q}]|{q}{q})*{q}|[^{q}{d}][^{d}]*|)"
        parts = f"regexp_extract_all({sql_string(delimiter)} || line, {sql_string(pattern)}, 1)"
        mark, doubled = sql_string(quote), sql_string(quote * 2)
        unquote = f"lambda x: CASE WHEN starts_with(x, {mark}) THEN replace(x[2:-2], {doubled}, {mark}) ELSE x END"
        fields = f"CASE WHEN contains(line, {mark}) THEN list_transform({parts}, {unquote}) ELSE {simple} END"
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE fields AS SELECT row, {fields} AS f FROM lines WHERE line <> ''")


def _contain(lines: pa.ChunkedArray, mark: str) -> tuple[pa.ChunkedArray, bool]:
    """Return which lines contain a character, bool [lines], and whether any does."""
    found = pc.match_substring(lines, mark)
    return found, bool(pc.any(found).as_py())


def _line_table(rows: _Lines) -> pa.Table:
    return pa.table(
        {
            "row": pa.array([row for row, _ in rows], pa.int64()),
            "line": pa.array([t for _, t in rows], pa.large_string()),
        }
    )
