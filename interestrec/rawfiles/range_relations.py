"""Relations of raw files whose ranges other processes have parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interestrec.rawfiles.file_ranges import BAD_ROWS, ROWS, ParsedRange
from interestrec.rawfiles.raw_log import RawLog, sql_string


def range_relations(log: RawLog, ranges: Sequence[ParsedRange]) -> Iterator[str]:
    """Yield the SQL of relations of a file whose ranges have been parsed, with the rows numbered as in the whole."""
    lines = 0
    for part in ranges:
        shift = lines + 1 - part.first_row
        lines += part.lines
        log.rows_read += part.rows_read
        if part.bad_rows:
            bad = f"read_parquet({sql_string(str(part.directory / BAD_ROWS))})"
            log.db.execute(f"INSERT INTO bad_rows SELECT * REPLACE (row + {shift} AS row) FROM {bad}")
        rows = f"read_parquet({sql_string(str(part.directory / ROWS))})"
        # As a table, because whoever asks for the relation reads it several times.
        log.db.execute(f"CREATE OR REPLACE TEMP TABLE records AS SELECT * REPLACE (_row + {shift} AS _row) FROM {rows}")
        yield "FROM records"
