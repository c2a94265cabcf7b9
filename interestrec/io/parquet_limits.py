"""Plausibility limits of Parquet metadata: a few kilobytes can claim to unpack to terabytes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MIN_SUSPECT_ROWS, _MIN_SUSPECT_BYTES = 10_000_000, 1 << 30  # smaller claims are accepted for any file size
_MAX_ROWS_PER_BYTE = 10  # real tables have less than one, because each row has an id, a time or a score
_MAX_UNPACKED_PER_BYTE = 1000
MAX_COLUMNS = 1_000  # the time of the database is quadratic in the columns


def limit_violation(metadata: "pq.FileMetaData", size: int) -> str | None:
    """Describe what is implausible about a file of `size` bytes, as the end of a sentence; None if nothing is."""
    if metadata.num_columns > MAX_COLUMNS:
        return f"it has {metadata.num_columns:,} columns, at most {MAX_COLUMNS:,} are read"
    if metadata.num_rows > max(_MIN_SUSPECT_ROWS, _MAX_ROWS_PER_BYTE * size):
        return f"it claims {metadata.num_rows:,} rows in {size:,} bytes"
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if unpacked > max(_MIN_SUSPECT_BYTES, _MAX_UNPACKED_PER_BYTE * size):
        return f"it claims to unpack from {size:,} to {unpacked:,} bytes"
    return None
