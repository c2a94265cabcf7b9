"""Aligned columns of plain text, which look the same in a terminal, a pipe or an e-mail."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from interestrec.core.printable import printable

NO_VALUE = "-"
GAP = "  "  # between columns
_MAX_COLUMN_WIDTH = 56  # cells of one column


def columns(header: Sequence[str], rows: Sequence[Sequence[Any]], indent: str = "  ") -> list[str]:
    """Return the lines of a table: numbers right-aligned, texts left-aligned and shortened with dots."""
    texts = [[format_value(value) for value in row] for row in rows]
    is_numeric = [all(_is_number(row[n]) for row in rows) for n in range(len(header))]
    return [(indent + GAP.join(cells)).rstrip() for cells in pad_cells([header, *texts], is_numeric)]


def pad_cells(lines: Sequence[Sequence[str]], align_right: Sequence[bool]) -> list[list[str]]:
    """Pad the cells of lines to the width of their columns.

    Args:
        align_right: whether the cells of a column are right-aligned.
    """
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return [[_pad(*cell) for cell in zip(line, widths, align_right, strict=True)] for line in lines]


def format_value(value: Any) -> str:
    """Format a value: thousands separators, up to four decimals, a dash for None, printable characters only."""
    if value is None:
        return NO_VALUE
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return shorten(str(value))


def shorten(text: str, width: int = _MAX_COLUMN_WIDTH) -> str:
    """Shorten a text to `width` cells, without control characters, so that raw data cannot control the terminal."""
    plain = printable(text).replace("\n", " ")
    return plain if cell_len(plain) <= width else set_cell_size(plain, width - 3).rstrip() + "..."


def format_share(value: float | None) -> str:
    """Format a share as a percentage."""
    return NO_VALUE if value is None else f"{100 * value:.1f} %"


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or number or (isinstance(value, str) and (value == NO_VALUE or value.endswith(" %")))


def _pad(text: str, width: int, align_right: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if align_right else text + gap
