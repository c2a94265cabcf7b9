"""Opening a raw file as a table of text columns with the number of each row."""

import gzip
import re
from pathlib import Path

import duckdb

from interestrec.core.catalogue import suggestion
from interestrec.core.errors import DataError, InputMissingError, from_os_error
from interestrec.core.raw_log import Log

_BLOCK = 1 << 22
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NO_DELIMITER = "\x01"  # cannot be in a text file that passed `check_text`


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """A column's name as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def check_text(path: Path) -> list[int]:
    """Refuse a file that is missing, not UTF-8, or has control bytes that no text has.

    Returns:
        The numbers of its empty lines, from 1.

    Raises:
        InputMissingError, DataError: with the line.
    """
    line, tail = 1, b""
    empty: list[int] = []
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
            while block := source.read(_BLOCK):
                block = tail + block
                cut = block.rfind(b"\n") + 1
                line = _check_lines(block[:cut], path, line, empty)
                tail = block[cut:]
        _check_lines(tail, path, line, empty)
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise from_os_error(error, path) from error
    return empty


def _check_lines(block: bytes, path: Path, line: int, empty: list[int]) -> int:
    position = next((p for p in (block.find(b"\0"), block.find(b"\x01")) if p >= 0), -1)
    reason = "a control character that no text has"
    if position < 0:
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            position, reason = error.start, "not UTF-8"
    if position >= 0:
        where = line + block.count(b"\n", 0, position)
        raise DataError(f"{path}:{where}: {reason}; convert the file to UTF-8 or remove the line")
    empty += [line + block.count(b"\n", 0, m.start()) for m in re.finditer(rb"^\r?\n", block, re.MULTILINE)]
    return line + block.count(b"\n")


def open_lines(log: Log, table: str, path: Path) -> None:
    """A table (row BIGINT, line VARCHAR) of a text file's lines that are not empty; quotes mean nothing.

    `row` is the line's number in the file, from 1.
    """
    # The CSV reader leaves empty lines out, so the numbers of those after one are moved up.
    moved = [line - index for index, line in enumerate(check_text(path))]
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT n + len(list_filter(?::BIGINT[], lambda x: x <= n)) AS row, "
        "line FROM (SELECT row_number() OVER () AS n, rtrim(line, chr(13)) AS line "
        f"FROM read_csv({quoted(str(path))}, header = false, delim = '{_NO_DELIMITER}', quote = '', escape = '', "
        "columns = {'line': 'VARCHAR'}, nullstr = '\x02', auto_detect = false, max_line_size = 16777216, "
        "null_padding = false, strict_mode = false, parallel = false))",
        [moved],
    )


def open_table(log: Log, table: str, path: Path, delimiter: str | None) -> list[str]:
    """A table of a file's columns plus `_row` (from 1); the names of the columns.

    CSV and TSV columns are text, and their malformed rows go to `bad_rows` with the file's line; JSON lines and
    Parquet keep their types. `.gz` may follow the suffix.

    Raises:
        InputMissingError, DataError: the file is missing, of no known kind, or not readable as what it is.
    """
    if not path.is_file():
        raise InputMissingError(f"{path}: no such file; check data.root and the file's name")
    kind = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    literal = quoted(str(path))
    try:
        if kind == ".parquet":
            source = f"read_parquet({literal})"
            log.db.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT *, row_number() OVER () AS _row FROM {source}"
            )
        elif kind in (".jsonl", ".ndjson"):
            check_text(path)
            source = f"read_json({literal}, format = 'newline_delimited', sample_size = -1)"
            log.db.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT *, row_number() OVER () AS _row FROM {source}"
            )
        elif delimiter or kind in _DELIMITERS:
            check_text(path)
            _open_delimited(log, table, path, delimiter or _DELIMITERS[kind])
        else:
            raise DataError(f"{path}: unknown kind of file; use .csv, .tsv, .jsonl, .parquet, or give `delimiter`")
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: cannot be read ({reason}); check the file") from error
    columns = [row[0] for row in log.sql(f"SELECT column_name FROM (DESCRIBE {table})")]
    return [column for column in columns if column != "_row"]


def _open_delimited(log: Log, table: str, path: Path, delimiter: str) -> None:
    log.db.execute("DROP TABLE IF EXISTS rejects; DROP TABLE IF EXISTS scans")
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT *, row_number() OVER () AS _row FROM read_csv("
        f"{quoted(str(path))}, delim = {quoted(delimiter)}, header = true, all_varchar = true, quote = '\"', "
        "escape = '\"', nullstr = '', store_rejects = true, rejects_table = 'rejects', rejects_scan = 'scans', "
        "rejects_limit = 0, strict_mode = true, null_padding = false, max_line_size = 16777216, parallel = false)"
    )
    log.db.execute(
        f"INSERT INTO bad_rows SELECT DISTINCT ON (line) {quoted(str(path))}, line, "
        "'malformed row: ' || split_part(error_message, chr(10), 1) FROM rejects ORDER BY line"
    )


def require(columns: list[str], wanted: str, path: Path, key: str) -> str:
    """The SQL identifier of a column that must be there.

    Raises:
        DataError: it is not; the message names the columns there are.
    """
    if wanted in columns:
        return name_of(wanted)
    raise DataError(
        f"{path}: has no column '{wanted}' ({key}){suggestion(wanted, columns)}; it has: {', '.join(columns)}"
    )
