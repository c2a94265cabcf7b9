"""Classification of database errors: caused by the input file, by storage, or by the program."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interestrec.core.deferred_import import duckdb
from interestrec.core.errors import VALUE, StorageError

_DISK_FAULTS = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)]


def is_caused_by_file(error: duckdb.Error) -> bool:
    """Whether the input file caused an error, rather than a statement of the program or the machine."""
    program_faults = (duckdb.ParserException, duckdb.CatalogException, duckdb.InternalError)
    return not isinstance(error, program_faults) and not _is_caused_by_storage(error)


@contextmanager
def storage_errors(scratch: Path) -> Iterator[None]:
    """Turn a database error caused by a full or failing disk, or by exhausted memory, into a StorageError.

    Args:
        scratch: directory that the database spills to.

    Raises:
        StorageError: the database cannot continue.
    """
    try:
        yield
    except duckdb.Error as error:
        if not _is_caused_by_storage(error):
            raise
        reason = str(error).strip().splitlines()[0]
        advice = "free space there, or raise runtime.memory so that less is spilled"
        raise StorageError(f"{scratch}: the database cannot continue ({VALUE}); {advice}", reason) from error


def _is_caused_by_storage(error: duckdb.Error) -> bool:
    """Whether the disk caused an error, or memory, which is exhausted when nothing more can be spilled to disk."""
    return isinstance(error, duckdb.OutOfMemoryException) or any(fault in str(error) for fault in _DISK_FAULTS)
