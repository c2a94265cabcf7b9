"""Lines of a raw text file, each with its number; a line that is no text is a bad row, not the end of the file."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError, from_os_error
from interestrec.core.raw_log import Log

_BLOCK = 1 << 22
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def load_lines(log: Log, table: str, path: Path) -> None:
    """A table (row BIGINT, line VARCHAR) of all lines, `row` from 1; ends of line may be LF or CR LF.

    Lines that are not UTF-8 or have a zero byte go to `bad_rows` instead. Lines that are not empty count as read.

    Raises:
        InputMissingError: there is no such file.
        DataError: the gzip file is damaged.
    """
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE {table} (row BIGINT, line VARCHAR)")
    row = 1
    for block in _blocks(path):
        lines = pc.list_flatten(pc.split_pattern(pa.array([block], pa.large_binary()), b"\n"))
        rows = pa.array(range(row, row + len(lines)), pa.int64())
        row += len(lines)
        wrong = _not_text(lines, block)
        if wrong is not None:
            _insert(
                log, pa.table({"row": rows.filter(wrong)}), f"bad_rows SELECT {quoted(str(path))}, row, 'not UTF-8'"
            )
            log.rows_read += pc.sum(wrong).as_py()
            right = pc.invert(wrong)
            lines, rows = lines.filter(right), rows.filter(right)
        texts = pc.utf8_rtrim(lines.cast(pa.large_string()), "\r")
        log.rows_read += pc.sum(pc.not_equal(texts, "")).as_py() or 0
        _insert(log, pa.table({"row": rows, "line": texts}), f"{table} SELECT row, line")


def open_lines(log: Log, table: str, path: Path) -> None:
    """As `load_lines`, without the empty lines; quotes mean nothing."""
    load_lines(log, table, path)
    log.db.execute(f"DELETE FROM {table} WHERE line = ''")


def _insert(log: Log, arrived: pa.Table, into: str) -> None:
    log.db.register("arrived", arrived)
    log.db.execute(f"INSERT INTO {into} FROM arrived")
    log.db.unregister("arrived")


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines in blocks of some megabytes, without the last end of line."""
    rest, first = b"", True
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
            while block := source.read(_BLOCK):
                if first:
                    block, first = block.removeprefix(_BYTE_ORDER_MARK), False
                whole, end, tail = block.rpartition(b"\n")
                if end:
                    yield rest + whole
                    rest = tail
                else:
                    rest += block
        if rest:
            yield rest
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise from_os_error(error, path) from error


def _not_text(lines: pa.Array, block: bytes) -> pa.Array | None:
    """bool [lines] of those that are not UTF-8 or have a zero byte; None when there are none, as nearly always."""
    if b"\0" not in block:
        try:
            block.decode("utf-8")
            return None
        except UnicodeDecodeError:
            pass
    return pa.array([b"\0" in line or not _is_utf8(line) for line in lines.to_pylist()], pa.bool_())


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
