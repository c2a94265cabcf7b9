"""Lines of a raw text file in blocks, with their numbers; a line that is not valid text is a malformed row."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import DataError, from_os_error
from interestrec.rawfiles.raw_log import RawLog, sql_string

_BLOCK_BYTES = 1 << 24
_MAX_LINE_BYTES = 1 << 26  # the longest text of any item is far shorter
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(log: RawLog, path: Path, encoding: str = "utf-8") -> Iterator[pa.Table]:
    """Yield tables (row int64, line large_string) of all lines, `row` from 1; lines may end in LF or CR LF.

    Lines that are not UTF-8 or have a zero byte go to `bad_rows` instead. Lines that are not empty count as read.
    Blocks that are not UTF-8 are decoded by `encoding` where that is another encoding.

    Raises:
        InputMissingError: the file does not exist.
        DataError: the file is not a regular one, has a line of more than 64 MiB, or is damaged gzip.
    """
    row = 1
    for block in _blocks(path):
        if encoding != "utf-8" and not _is_utf8(block):
            block = block.decode(encoding).encode()
        lines = pc.list_flatten(pc.split_pattern(pa.array([block], pa.large_binary()), b"\n"))
        if log.sample is not None:
            lines = lines[: max(log.sample + 1 - row, 0)]
        rows = pa.array(np.arange(row, row + len(lines)))
        row += len(lines)
        invalid = _invalid_lines(lines, block)
        if invalid is not None:
            log.insert(
                "bad_rows", pa.table({"row": rows.filter(invalid)}), f"{sql_string(str(path))}, row, 'not UTF-8', NULL"
            )
            log.rows_read += pc.sum(invalid).as_py() or 0
            valid = pc.invert(invalid)
            lines, rows = lines.filter(valid), rows.filter(valid)
        texts = lines.cast(pa.large_string())
        if b"\r" in block:
            texts = pc.utf8_rtrim(texts, "\r")
        log.rows_read += pc.sum(pc.not_equal(texts, "")).as_py() or 0
        yield pa.table({"row": rows, "line": texts})
        if log.sample is not None and row > log.sample:
            log.is_cut = True
            return


def nonempty_lines(log: RawLog, path: Path, encoding: str = "utf-8") -> Iterator[pa.Table]:
    """Yield the tables of `read_lines` without the empty lines."""
    for lines in read_lines(log, path, encoding):
        yield lines.filter(pc.not_equal(lines["line"], ""))


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield complete lines in blocks of some megabytes, each without its last end of line."""
    parts: list[bytes] = []  # parts of a long line, joined once: joining them block by block takes quadratic time
    first = True
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise DataError(f"{path}: not a regular file; copy its content into one")
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
            while block := source.read(_BLOCK_BYTES):
                if first:
                    block, first = block.removeprefix(_BYTE_ORDER_MARK), False
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
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); download it again") from error
    except OSError as error:
        raise from_os_error(error, path) from error


def _invalid_lines(lines: pa.Array, block: bytes) -> pa.Array | None:
    """Return bool [lines], true for lines that are not UTF-8 or have a zero byte; None when there are none."""
    if b"\0" not in block and _is_utf8(block):
        return None
    return pa.array([b"\0" in line or not _is_utf8(line) for line in lines.to_pylist()], pa.bool_())


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
