"""Whose fault an error of the database is: the file's, the disk's, or the program's."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interestrec.core.deferred_import import duckdb
from interestrec.core.errors import VALUE, StorageError

_DISK_FAULTS = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)]


def is_fault_of_file(error: duckdb.Error) -> bool:
    """Whether the file is at fault, not a statement of ours or the machine."""
    own = (duckdb.ParserException, duckdb.CatalogException, duckdb.InternalError)
    return not isinstance(error, own) and not _is_fault_of_storage(error)


@contextmanager
def storage_errors(scratch: Path) -> Iterator[None]:
    """A disk that is full or fails, where the database spills, becomes an error that says so.

    Raises:
        StorageError: the database cannot go on.
    """
    try:
        yield
    except duckdb.Error as error:
        if not _is_fault_of_storage(error):
            raise
        reason = str(error).strip().splitlines()[0]
        what = "free space there, or raise runtime.memory so that less is spilled"
        raise StorageError(f"{scratch}: the database cannot go on ({VALUE}); {what}", reason) from error


def _is_fault_of_storage(error: duckdb.Error) -> bool:
    """Whether the disk is at fault, or memory, which is when nothing more can be spilled to disk."""
    return isinstance(error, duckdb.OutOfMemoryException) or any(fault in str(error) for fault in _DISK_FAULTS)
