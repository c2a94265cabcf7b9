"""The grammar of delimited records: fields that quotes enclose (RFC 4180) and characters that an escape makes plain."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate


class Reading(Enum):
    """How far a record could be read."""

    COMPLETE = 1
    OPEN = 2  # a quote is open at the end of the text
    BROKEN = 3  # a quote that opened a field is followed by more than a delimiter or the end of the line


@dataclass(frozen=True)
class ReadRecord:
    """A record read from some place of a text."""

    reading: Reading
    fields: list[str]  # without quotes and escapes
    end: int  # position behind the record in the text; of no meaning unless it is complete
    bare: bool = False  # whether a quote stands within a field that it does not enclose
    needed: bool = False  # whether an enclosed field has a delimiter or a quote, so that its quotes were needed


class RecordGrammar:
    """The grammar of the records of one file.

    Args:
        delimiter: the character between fields.
        quote: the character that encloses fields; None = none does.
        escape: the character that makes the next quote, delimiter, line break or itself plain; None = none does.
        escape_anywhere: whether it does so outside of quotes, too.
    """

    def __init__(
        self, delimiter: str, quote: str | None, escape: str | None = None, escape_anywhere: bool = True
    ) -> None:
        self.delimiter, self.quote = delimiter, quote
        self.escape = escape if escape != quote else None
        self._escape_anywhere = escape_anywhere and self.escape is not None
        d, q, e = re.escape(delimiter), re.escape(quote or ""), re.escape(self.escape or "")
        escaped = f"|{e}." if e else ""
        inner = f"(?:[^{q}{e}]++{escaped}|{q}{q})*+"
        self._closed = re.compile(f"(?s){q}({inner}){q}(?=[{d}\n]|\\Z)") if q else None
        self._open = re.compile(f"(?s){q}{inner}(?:{e})?\\Z") if q else None
        outer = f"(?:[^{d}{e}\n]++{escaped})*+" if escape_anywhere and e else f"[^{d}\n]*+"
        self._plain = re.compile(f"(?s){outer}")
        plain_after_escape = f'["{q}{e}{d}\n]' if escape_anywhere else f"[{q}{e}]"
        alternatives = [f"{e}({plain_after_escape})"] * bool(e) + [f"{q}({q})"] * bool(q)
        self._unquote = self._replacement("|".join(alternatives))
        self._unescape = self._replacement(f"{e}({plain_after_escape})" if e and escape_anywhere else "")
        # Of RE2, for whole columns: lines that are a record on their own, enclosed fields and plain ones.
        enclosed = f"{q}(?:[^{q}]|{q}{q})*{q}|[^{q}{d}][^{d}]*|" if q else f"[^{d}]*"
        self.whole_line = f"(?s)^(?:{enclosed})(?:{d}(?:{enclosed}))*$"

    @staticmethod
    def _replacement(pattern: str) -> Callable[[str], str]:
        if not pattern:
            return str
        compiled = re.compile(f"(?s){pattern}")
        return lambda text: compiled.sub(lambda match: match[match.lastindex or 0], text)

    def read(self, text: str, start: int) -> ReadRecord:
        """Read the record that begins at a position of a text of several lines."""
        fields: list[str] = []
        bare = needed = False
        while True:
            if self._closed is not None and self._open is not None and text.startswith(self.quote or "", start):
                closed = self._closed.match(text, start)
                if closed is None:
                    is_open = self._open.match(text, start) is not None
                    return ReadRecord(Reading.OPEN if is_open else Reading.BROKEN, [], start)
                field, start = closed[1], closed.end()
                needed |= self.delimiter in field or self.quote in field
                fields.append(self._unquote(field))
            else:
                plain = self._plain.match(text, start)
                field, start = plain[0] if plain else "", plain.end() if plain else start
                bare |= self.quote is not None and self.quote in field
                fields.append(self._unescape(field))
            if start == len(text) or text[start] == "\n":
                return ReadRecord(Reading.COMPLETE, fields, start, bare, needed)
            if text[start] == self.escape:  # of the end of the line, behind which the text is cut
                return ReadRecord(Reading.OPEN, [], start)
            start += 1

    def strict_record(self, width: int) -> re.Pattern[str] | None:
        """Return the expression of a record of so many fields, none of which has a quote that does not enclose it.

        None where it takes more than an expression to tell. Reading is slower, and gives the fields.
        """
        if self.quote is None or self._escape_anywhere:
            return None
        d, q, e = re.escape(self.delimiter), re.escape(self.quote), re.escape(self.escape or "")
        inner = f"(?:[^{q}{e}]++{f'|{e}.' if e else ''}|{q}{q})*+"
        field = f"(?:{q}{inner}{q}(?=[{d}\n]|\\Z)|[^{q}{d}\n]*+(?=[{d}\n]|\\Z))"
        return re.compile(f"(?s){field}(?:{d}{field}){{{width - 1}}}(?=\n|\\Z)")

    def raw_fields(self, line: str) -> list[tuple[str, bool]]:
        """Return the fields of a line judged alone: each as it stands, and whether quotes enclose it.

        A quote that opens a field and does not close right before a delimiter or the end of the line is plain text.
        """
        fields: list[tuple[str, bool]] = []
        start = 0
        while True:
            closed = self._closed.match(line, start) if self._closed is not None else None
            plain = self._plain.match(line, start) if closed is None else None
            end = closed.end() if closed else plain.end() if plain else start
            end = len(line) if line[end : end + 1] == self.escape else end
            fields.append((closed[1] if closed else line[start:end], closed is not None))
            if end >= len(line):
                return fields
            start = end + 1

    def fields_alone(self, line: str) -> list[str]:
        """Return the fields of a line judged alone, without quotes that enclose them and without escapes."""
        return [self._unquote(text) if enclosed else self._unescape(text) for text, enclosed in self.raw_fields(line)]

    def line_of(self, fields: list[str]) -> str:
        """Return fields as a record that `whole_line` matches; it may span lines."""
        q = self.quote or '"'
        marks = (q, self.delimiter)
        texts = [f"{q}{text.replace(q, q + q)}{q}" if any(m in text for m in marks) else text for text in fields]
        return self.delimiter.join(texts) or q + q


def joined_lines(lines: Sequence[str]) -> tuple[str, list[int]]:
    """Return the text of some lines and the position at which each begins in it."""
    return "\n".join(lines), list(accumulate((len(line) + 1 for line in lines[:-1]), initial=0))
