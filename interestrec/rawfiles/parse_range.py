"""Parses a range of a raw file, for the process that reads the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.io import files
from interestrec.rawfiles.file_ranges import (
    BAD_ROWS,
    COUNTS,
    ROWS,
    marks_of,
    range_blocks,
)
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.raw_tables import records
from interestrec.rawfiles.text_layout import TextLayout


def write_range(log: RawLog, directory: Path, path: Path, names: Sequence[str], layout: TextLayout) -> None:
    """Parse the range `log.part` of a file, and write its rows, its malformed rows and its counts.

    The counts are empty if the whole file has to be parsed by one process, which also finds the error, if there is one.

    Args:
        log: an empty log.
        names, layout: see `scan`.
    """
    assert log.part is not None
    marks = marks_of(path, layout)
    if any(mark in block for mark in marks for block in range_blocks(path, log.part)):
        files.write_json(directory / COUNTS, {})
        return
    log.start_file(path)
    try:
        for relation in records(log, path, names, layout):
            rows = f"SELECT * FROM ({relation})"
            exists = log.sql("FROM duckdb_tables() WHERE table_name = 'parsed'")
            log.db.execute(f"INSERT INTO parsed {rows}" if exists else f"CREATE TABLE parsed AS {rows}")
    except DataError:
        log.lines = 0
    if not log.lines:
        files.write_json(directory / COUNTS, {})
        return
    for table, name in (("parsed", ROWS), ("bad_rows", BAD_ROWS)):
        log.db.execute(f"COPY (FROM {table}) TO {sql_string(str(directory / name))} (FORMAT parquet)")
    counts = {"lines": log.lines, "rows_read": log.rows_read, "bad_rows": log.rows("bad_rows")}
    files.write_json(directory / COUNTS, counts)
