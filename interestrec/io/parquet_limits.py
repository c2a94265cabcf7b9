"""Whether what a Parquet file says of its size can be: a few kilobytes can claim to unpack to terabytes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_FEW_ROWS, _FEW_BYTES = 10_000_000, 1 << 30  # up to here anything goes
_ROWS_A_BYTE = 10  # real tables have less than one: a row has an id, a time or a score of its own
_UNPACKED_A_BYTE = 1000
MAX_COLUMNS = 1_000  # the database takes the square of the time for more


def limit_violation(metadata: "pq.FileMetaData", size: int) -> str | None:
    """What cannot be about a file of `size` bytes, as the end of a sentence; None where all can."""
    if metadata.num_columns > MAX_COLUMNS:
        return f"it has {metadata.num_columns:,} columns, at most {MAX_COLUMNS:,} are read"
    if metadata.num_rows > max(_FEW_ROWS, _ROWS_A_BYTE * size):
        return f"it claims {metadata.num_rows:,} rows in {size:,} bytes"
    unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if unpacked > max(_FEW_BYTES, _UNPACKED_A_BYTE * size):
        return f"it claims to unpack from {size:,} to {unpacked:,} bytes"
    return None
