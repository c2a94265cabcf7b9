"""Ranges of text files, which several processes may parse: a range holds the lines that begin in it.

A range is parsed by the code that parses whole files. What one line means must not depend on others: a file with a
quote or an escape, whose records may span lines, is parsed whole, and so is one with anything to complain of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from interestrec.core.errors import InterestrecError
from interestrec.io import files
from interestrec.rawfiles.file_signatures import encoding_of, head_of, line_end_of
from interestrec.rawfiles.packed_files import DELIMITERS, JSON, compression_of, kind_of
from interestrec.rawfiles.text_layout import AUTOMATIC, NO_QUOTES, TextLayout

RANGE_BYTES = 1 << 24
FIRST_ROW = 1 << 40  # number of the first line of a range other than the first of its file, which is not known
ROWS, BAD_ROWS, COUNTS = "rows.parquet", "bad_rows.parquet", "counts.json"
_BLOCK_BYTES = 1 << 24
_UTF8 = "utf-8"


class FileRange(NamedTuple):
    """Bytes of a file."""

    start: int
    end: int

    @property
    def first_row(self) -> int:
        """The number that its first line gets."""
        return FIRST_ROW if self.start else 1


class ParsedRange(NamedTuple):
    """The files that `write_range` has made of a range."""

    directory: Path
    first_row: int
    lines: int
    rows_read: int
    bad_rows: int


def file_ranges(path: Path, layout: TextLayout, range_bytes: int) -> list[FileRange]:
    """Return the ranges that a file is divided into; none if it is small, compressed or not known to be divisible."""
    if not path.is_file() or compression_of(path) or layout.unnest or layout.encoding is not None:
        return []
    kind, size = kind_of(path), path.stat().st_size
    if size <= range_bytes or not (kind in JSON or kind in DELIMITERS or layout.delimiter):
        return []
    try:
        head = head_of(path)
        is_plain = encoding_of(path, head, None) == _UTF8 and line_end_of(head) == b"\n"
    except InterestrecError:  # which whoever reads the whole file raises again
        return []
    if not is_plain or head.startswith(b"\xef\xbb\xbf") or head.lstrip()[:1] == b"[":
        return []
    return [FileRange(start, min(start + range_bytes, size)) for start in range(0, size, range_bytes)]


def marks_of(path: Path, layout: TextLayout) -> list[bytes]:
    """Return the characters that may let a record span lines."""
    if kind_of(path) in JSON and not layout.delimiter:
        return []
    quote = {AUTOMATIC: '"', NO_QUOTES: None}.get(layout.quote, layout.quote)
    return [mark.encode() for mark in (quote, layout.escape) if mark is not None]


def range_blocks(path: Path, part: FileRange) -> Iterator[bytes]:
    """Yield the complete lines that begin in a range, in blocks, each without its last end of line."""
    with path.open("rb") as source:
        if part.start:
            source.seek(part.start - 1)
            source.readline()
        while source.tell() < part.end:
            block = source.read(min(_BLOCK_BYTES, part.end - source.tell()))
            yield (block if block.endswith(b"\n") else block + source.readline()).removesuffix(b"\n")


def parsed_range(directory: Path, first_row: int) -> ParsedRange | None:
    """Return what is in a directory that `write_range` has filled; None if the file has to be parsed whole."""
    counts = files.read_json(directory / COUNTS)
    return ParsedRange(directory, first_row, **counts) if counts else None


def range_key(path: Path, names: Sequence[str], layout: TextLayout) -> str:
    """Return the digest of a file's path and of how it is read."""
    keys = {name: getattr(layout, name) for name in TextLayout.model_fields}
    return files.sha256_of_json([str(path), list(names), keys])[:16]
