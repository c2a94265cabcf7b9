"""Whether a file that need not have quotes uses them to enclose fields."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from interestrec.rawfiles.quote_grammar import Reading, RecordGrammar, joined_lines
from interestrec.rawfiles.row_shapes import RowShapes


def quotes_enclose(grammar: RecordGrammar, head: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether the quotes of a file enclose fields.

    They do where a column, or the header, always has them, as some writers quote all texts; or where the fields that
    could not do without, because they have a delimiter, a doubled quote or a line break, are more than the lines with
    quotes that enclose nothing.

    Args:
        grammar: of a file in which they do.
        head: first lines of the file, with one that is not empty.
        lines: lines from the first one on that has a quote.
    """
    first = next(number for number, line in enumerate(head) if line)
    header = grammar.raw_fields(head[first])
    width = len(header)
    shapes = RowShapes(grammar, [*head[first + 1 :], *lines], width)
    if all(enclosed for _, enclosed in header) or shapes.has_enclosed_column:
        return True
    text, starts = joined_lines(lines)
    needed = stray = position = 0
    while position < len(lines):
        if grammar.quote is not None and grammar.quote in lines[position]:
            record = grammar.read(text, starts[position])
            whole = record.reading is Reading.COMPLETE and len(record.fields) == width
            last = bisect_right(starts, record.end) - 1 if whole else position
            following = lines[position + 1 : last + 1]
            if following and not shapes.are_rows(lines[position], following):
                needed, position = needed + 1, last
            elif whole and not following and not record.bare:
                needed += record.needed
            else:
                stray += 1
        position += 1
    return needed > stray
