"""Lines of a raw text file in blocks, with their numbers; a line that is not valid text is a malformed row."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import DataError
from interestrec.rawfiles.file_ranges import range_blocks
from interestrec.rawfiles.file_signatures import encoding_of, head_of, line_end_of, require_text
from interestrec.rawfiles.packed_files import open_unpacked
from interestrec.rawfiles.raw_log import RawLog, sql_string

_BLOCK_BYTES = 1 << 24
_MAX_LINE_BYTES = 1 << 26  # the longest text of any item is far shorter
_UTF8 = "utf-8"
NOT_UTF8 = (
    "not UTF-8 (where the table has the key, `encoding: latin-1` reads such bytes; else convert the file, as by "
    "`iconv -f latin1 -t utf-8`)"
)
ZERO_BYTE = "has a zero byte, as damaged files and UTF-16 have (`iconv -f utf-16 -t utf-8` converts the latter)"
_UNDECODABLE = "interestrec-undecodable"
# What a decoder cannot read becomes a zero byte, so that its line is a malformed row and the others stay.
codecs.register_error(_UNDECODABLE, lambda error: ("\0", error.end))  # type: ignore[attr-defined]


def read_lines(log: RawLog, path: Path, encoding: str | None = None, fallback: str = _UTF8) -> Iterator[pa.Table]:
    """Yield tables (row int64, line large_string) of all lines, `row` from 1; lines may end in LF, CR LF or CR.

    Lines that are not text in their encoding or have a zero byte go to `bad_rows` instead. Lines that are not empty
    count as read.

    Args:
        encoding: of the file; None = UTF-8, or what its byte-order mark says.
        fallback: encoding of blocks that are not UTF-8, in formats whose editions differ.

    Raises:
        InputMissingError: the file does not exist.
        DataError: the file is not a regular one, is not text, has a line of more than 64 MiB, or is damaged.
    """
    row = 1 if log.part is None else log.part.first_row
    for block in text_blocks(path, encoding) if log.part is None else range_blocks(path, log.part):
        if fallback != _UTF8 and not is_utf8(block):
            block = block.decode(fallback).encode()
        lines = pc.list_flatten(pc.split_pattern(pa.array([block], pa.large_binary()), b"\n"))
        if log.sample is not None:
            lines = lines[: max(log.sample + 1 - row, 0)]
        rows = pa.array(np.arange(row, row + len(lines)))
        row += len(lines)
        log.lines += len(lines)
        faults = _faults(lines, block, encoding)
        if faults is not None:
            valid = pc.is_null(faults)
            refused = pa.table({"row": rows, "reason": faults}).filter(pc.invert(valid))
            log.insert("bad_rows", refused, f"{sql_string(str(path))}, row, reason, NULL")
            log.rows_read += refused.num_rows
            lines, rows = lines.filter(valid), rows.filter(valid)
        texts = lines.cast(pa.large_string())
        if b"\r" in block:
            texts = pc.utf8_rtrim(texts, "\r")
        log.rows_read += pc.sum(pc.not_equal(texts, "")).as_py() or 0
        yield pa.table({"row": rows, "line": texts})
        if log.sample is not None and row > log.sample:
            log.is_cut = True
            return


def nonempty_lines(log: RawLog, path: Path, encoding: str | None = None, fallback: str = _UTF8) -> Iterator[pa.Table]:
    """Yield the tables of `read_lines` without the empty lines."""
    for lines in read_lines(log, path, encoding, fallback):
        yield lines.filter(pc.not_equal(lines["line"], ""))


def text_blocks(path: Path, encoding: str | None = None) -> Iterator[bytes]:
    """Yield complete lines in blocks of some megabytes of UTF-8, each without its last end of line.

    Lines end in LF or CR LF; a zero byte stands for what is not text in an encoding other than UTF-8. Bytes that are
    not UTF-8 stay in a file that should be.

    Raises:
        InputMissingError, DataError: see `read_lines`.
    """
    parts: list[bytes] = []  # parts of a long line, joined once: joining them block by block takes quadratic time
    for block in utf8_blocks(path, encoding):
        complete, end, tail = block.rpartition(b"\n")
        if end:
            yield b"".join([*parts, complete])
            parts = []
        parts.append(tail)
        if sum(map(len, parts)) > _MAX_LINE_BYTES:
            raise DataError(
                f"{path}: a line exceeds {_MAX_LINE_BYTES >> 20} MiB; give a text file with one row per line"
            )
    rest = b"".join(parts)
    if rest:
        yield rest


def utf8_head(path: Path, encoding: str | None) -> bytes:
    """Return the first bytes of a text file in UTF-8, without a byte-order mark.

    Raises:
        InputMissingError, DataError: the file is missing, damaged or no text.
    """
    head = head_of(path)
    require_text(path, head)
    codec = encoding_of(path, head, encoding)
    text = (
        head if codec == _UTF8 else codecs.getincrementaldecoder(codec)("replace").decode(head).encode(_UTF8, "replace")
    )
    return text.removeprefix(codecs.BOM_UTF8)


def utf8_blocks(path: Path, encoding: str | None) -> Iterator[bytes]:
    """Yield the content of a text file in UTF-8, without a byte-order mark, lines ending in LF or CR LF."""
    head = head_of(path)
    line_end = line_end_of(utf8_head(path, encoding))
    codec = encoding_of(path, head, encoding)
    decoder = None if codec == _UTF8 else codecs.getincrementaldecoder(codec)(_UNDECODABLE)
    with open_unpacked(path) as source:
        if decoder is None and head.startswith(codecs.BOM_UTF8):
            source.read(len(codecs.BOM_UTF8))
        first = True
        while True:
            block = source.read(_BLOCK_BYTES)
            at_end = not block
            if decoder is not None:
                decoded = decoder.decode(block, at_end)
                # The mark is a character of its own where its byte order is set, as by `utf-16-le`.
                block = (decoded.removeprefix("\ufeff") if first else decoded).encode(_UTF8, "replace")
                first = first and not decoded
            yield block if line_end == b"\n" else block.replace(line_end, b"\n")
            if at_end:
                return


def _faults(lines: pa.Array, block: bytes, encoding: str | None) -> pa.Array | None:
    """Return the reason why each line is not text, null where it is, string [lines]; None when all are."""
    if b"\0" not in block and is_utf8(block):
        return None
    foreign = f"not text in the encoding {encoding}, or with a zero byte"
    reasons: list[str | None] = []
    for line in lines.to_pylist():
        if b"\0" in line:
            reasons.append(ZERO_BYTE if encoding is None else foreign)
        else:
            reasons.append(None if is_utf8(line) else NOT_UTF8)
    return pa.array(reasons, pa.string())


def is_utf8(line: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        line.decode(_UTF8)
    except UnicodeDecodeError:
        return False
    return True
