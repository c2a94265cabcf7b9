"""What the rows of a delimited file look like, so that rows can be told from lines of a text that spans lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interestrec.rawfiles.quote_grammar import RecordGrammar

_MAX_ROWS = 1_000  # that are looked at
_MIN_EVIDENCE = 4  # more coincidences than a text that only looks like a row has
_LETTERS, _DIGITS, _BLANKS = re.compile(r"[^\W\d_]+"), re.compile(r"\d+"), re.compile(r"\s+")


@dataclass(frozen=True)
class _ColumnLook:
    """What the values of a column have in common."""

    shapes: frozenset[str] | None  # all shapes of values, where the column has a few; None = it has many
    has_empty: bool  # whether some values are empty
    is_known: bool  # whether there are enough values to tell
    enclosed: bool  # whether quotes enclose every value
    weight: int  # evidence of a value that looks like them


def shape_of(text: str) -> str:
    """Return a text with its runs of letters, digits and blanks as one character each: `ab-12` is `a-9`."""
    return _BLANKS.sub(" ", _DIGITS.sub("9", _LETTERS.sub("a", text[:200])))


class RowShapes:
    """The look of the rows of a file, learned from its first lines that are rows beyond doubt.

    Args:
        lines: lines of the file, without the header.
        width: number of columns.
    """

    def __init__(self, grammar: RecordGrammar, lines: Iterable[str], width: int) -> None:
        self._grammar, self.width = grammar, width
        rows: list[list[tuple[str, bool]]] = []
        for line in lines:
            fields = grammar.raw_fields(line)
            stray = grammar.quote is not None and any(grammar.quote in text and not closed for text, closed in fields)
            if len(fields) == width and not stray:
                rows.append(fields)
            if len(rows) == _MAX_ROWS:
                break
        self.looks = [_look([row[column] for row in rows]) for column in range(width)]

    @property
    def has_enclosed_column(self) -> bool:
        """Whether quotes enclose every value of a column."""
        return any(look.enclosed for look in self.looks)

    def are_rows(self, first: str, following: Sequence[str]) -> bool:
        """Whether the lines of a quoted text are rows of the file themselves, so that its quotes are stray characters.

        Each line that has the right number of columns, with values that look like those of their columns, is evidence:
        one for each delimiter, and more for each column whose values look alike. There has to be enough, and half of
        the lines have to be rows; nearly all of them where no column has a look of its own.

        Args:
            first: the line in which the quote opens.
            following: the lines after it, to the one in which the quote closes.
        """
        lines = [line for line in following if line.strip()]
        # A line of a text hardly ever has as many delimiters as a row.
        possible = [line for line in lines if line.count(self._grammar.delimiter) >= self.width - 1]
        share = 0.5 if any(look.weight for look in self.looks) else 0.9
        if len(possible) < share * len(lines):
            return False
        before = self._values_before_quote(first)
        evidence = [self._evidence(line, before) for line in possible]
        return sum(evidence) >= _MIN_EVIDENCE and sum(e > 0 for e in evidence) >= share * len(lines)

    def _values_before_quote(self, line: str) -> list[str]:
        """Return the values of a row before the field whose quote is left open."""
        quote = self._grammar.quote or ""
        fields = self._grammar.raw_fields(line)
        opening = next((n for n, (text, closed) in enumerate(fields) if text.startswith(quote) and not closed), 0)
        return [text for text, _ in fields[:opening]]

    def _evidence(self, line: str, before: Sequence[str]) -> int:
        fields = self._grammar.raw_fields(line)
        if len(fields) != self.width:
            return 0
        quote = self._grammar.quote or ""
        total = self.width - 1
        for column, ((text, enclosed), look) in enumerate(zip(fields, self.looks, strict=True)):
            if not text and (look.shapes is None or look.has_empty):
                continue
            known = look.shapes
            if known is None and not look.is_known and column < len(before):
                known = frozenset([shape_of(before[column])])
            if (look.enclosed and not enclosed) or (
                known is not None and shape_of(text.replace(quote, "")) not in known
            ):
                return 0
            total += look.weight or known is not None
        return total


def _look(values: Sequence[tuple[str, bool]]) -> _ColumnLook:
    filled = [text for text, _ in values if text]
    shapes = frozenset(map(shape_of, filled))
    is_known = len(filled) >= 3
    alike = is_known and (len(shapes) == 1 or len(shapes) ** 2 <= len(filled))
    weight = (5 if len(filled) >= 10 else 3) if alike else 0
    there = [closed for text, closed in values if text or closed]
    enclosed = bool(there) and all(there)
    return _ColumnLook(shapes if alike else None, len(filled) < len(values), is_known, enclosed, weight)
