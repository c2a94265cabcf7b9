"""The layout of a text file by its first bytes: encoding, delimiter, quoting, and whether the first row is a header."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interestrec.inspection.role_names import is_known_name
from interestrec.rawfiles.file_signatures import require_text
from interestrec.rawfiles.packed_files import DELIMITERS, kind_of, open_unpacked

_HEAD_BYTES = 1 << 18
_LINES = 400
_DELIMITERS = ("\t", ",", ";", "|", "::", "^", "\x01", " ")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")


@dataclass(frozen=True)
class LayoutGuess:
    """How a text file seems to be laid out."""

    delimiter: str
    encoding: str  # utf-8, utf-16 or latin-1
    header: list[str] | None  # names of the columns; None without a header
    is_header_sure: bool
    keys: dict[str, Any] = field(default_factory=dict)  # keys of the configuration's table that differ from the default


def guess_layout(path: Path) -> LayoutGuess:
    """Guess the layout of a text file from its beginning.

    Raises:
        InputMissingError, DataError: the file is missing, damaged or no text.
    """
    head = _head(path)
    encoding = _encoding(head)
    text = head.decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()][:_LINES]
    promised = DELIMITERS.get(kind_of(path))
    delimiter = _delimiter(lines, promised)
    rows = split_rows(lines, delimiter)
    header, is_sure = _header(rows)
    keys: dict[str, Any] = {}
    if delimiter != promised and delimiter != "::":
        keys["delimiter"] = delimiter
    if encoding not in ("utf-8", "utf-16"):  # a byte-order mark tells itself
        keys["encoding"] = encoding
    if not header:
        keys["header"] = False
    return LayoutGuess(delimiter, encoding, rows[0] if header and rows else None, is_sure, keys)


def _head(path: Path) -> bytes:
    with open_unpacked(path) as source:
        head = source.read(_HEAD_BYTES)
    require_text(path, head)
    return head if len(head) < _HEAD_BYTES else head.rpartition(b"\n")[0]


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return _single_byte(head)
    return "utf-8"


def _single_byte(head: bytes) -> str:
    """Windows-1252 has letters and signs where Latin-1 has control characters."""
    return "cp1252" if re.search(rb"[\x80-\x9f]", head) else "latin-1"


def split_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Split lines into fields; quotes count where a field begins with one."""
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines]
    csv.field_size_limit(1 << 26)
    if delimiter == "\t":
        return [row for row in csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE) if row]
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]


def _delimiter(lines: Sequence[str], promised: str | None) -> str:
    """Return the delimiter by which most lines have the same number of fields, and many."""
    best, best_score = promised or ",", 0.0
    for delimiter in _DELIMITERS:
        if not any(delimiter in line for line in lines[:20]):
            continue
        rows = split_rows(lines, delimiter)
        widths = Counter(map(len, rows))
        width, count = max(widths.items(), key=lambda pair: (pair[1], pair[0]))
        if width < 2:
            continue
        share = count / sum(widths.values())
        # Spaces, and commas within texts and numbers, separate by chance; the header then has none of them.
        weight = 0.3 if delimiter == " " else 1.2 if delimiter in (promised, "\t", "::") else 1.0
        weight *= 1.0 if len(rows[0]) == width else 0.5
        score = share**2 * min(width, 8) ** 0.5 * weight
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _header(rows: Sequence[Sequence[str]]) -> tuple[bool, bool]:
    """Return whether the first row names the columns, and whether that is sure."""
    if len(rows) < 2:
        return True, False
    first, others = [name.strip() for name in rows[0]], [row for row in rows[1:] if len(row) == len(rows[0])]
    if any(_is_value(name) for name in first) or len(set(first)) < len(first) or not others:
        return False, True
    known = sum(is_known_name(name) for name in first)
    if ":" in first[0] and all(re.fullmatch(r".+:(token|token_seq|float|float_seq)", name) for name in first):
        return True, True
    columns = list(zip(*others, strict=True))
    typed = sum(_is_typed(column) for column in columns)
    if typed:  # a column of numbers or dates begins with a word
        return True, True
    repeated = sum(name in column for name, column in zip(first, columns, strict=True) if name)
    long = max(len(name) for name in first) > 40
    if repeated or long:
        return False, known == 0
    return (True, known >= 2) if known else (False, False)


def _is_value(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text) or _DATE.fullmatch(text) or text.startswith(("http://", "https://", "[", "{")))


def _is_typed(column: Sequence[str]) -> bool:
    filled = [text.strip() for text in column if text.strip()]
    return bool(filled) and sum(map(_is_value, filled)) > 0.8 * len(filled)
