"""Parquet files that users give beside their logs: opened only if their claims are plausible."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from interestrec.core.errors import ArtifactError, from_os_error
from interestrec.io.parquet_limits import limit_violation

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@contextmanager
def open_given_parquet(path: Path) -> "Iterator[pq.ParquetFile]":
    """Open a Parquet file for the block and translate the library's errors in it.

    Raises:
        InputMissingError, StorageError, AccessError: the file cannot be read.
        ArtifactError: it is not Parquet, or claims to be far larger than it is.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as source:
            if violation := limit_violation(source.metadata, path.stat().st_size):
                raise ArtifactError(f"{path}: {violation}; do not use it")
            yield source
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise from_os_error(error, path) from error
        raise ArtifactError(f"{path}: not readable as Parquet ({error}); write it again") from error
