"""SpilledArray: an array that grows by parts and, once it is large, is in a file instead of in memory.

The file has no name: it is mapped, so that the operating system keeps in memory what is read often and there is room
for, and it is gone when the last process that maps it ends. Artifacts that are encrypted stay in memory, because such a
file is not.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

import numpy as np

from interestrec.core.errors import from_os_error
from interestrec.io.encryption import is_encrypting

_LEAST = 1 << 25  # bytes of an array in a file
_PART = 1 << 22  # bytes that are written at once


class SpilledArray:
    """An array of which parts are appended along its first axis."""

    def __init__(self, dtype: np.typing.DTypeLike, directory: Path | None) -> None:
        """Begin with no rows.

        Args:
            directory: in whose file system the file is, or in that of temporary files if it cannot be written; None: it
                stays in memory.
        """
        self._dtype = np.dtype(dtype)
        self._directory = None if is_encrypting() else directory
        self._parts: list[np.ndarray] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def append(self, part: np.ndarray) -> None:
        """Append rows, [rows, …] of the type of the array or converted to it; they are not to be changed afterwards.

        Raises:
            StorageError: the disk is full.
        """
        part = np.asarray(part, self._dtype)
        self._bytes += part.nbytes
        if self._file is None and self._directory is not None and self._bytes >= _LEAST:
            self._file = _nameless(self._directory)
            for earlier in self._parts:
                self._write(earlier)
            self._parts = [part[:0]]  # what rows are like
        if self._file is None:
            self._parts.append(part)
        else:
            self._write(part)

    def finish(self) -> np.ndarray:
        """Return all rows; an array in a file is read-only.

        Raises:
            StorageError: the disk is full.
        """
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.zeros(0, self._dtype)
        try:
            self._file.flush()
            mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise from_os_error(error, self._directory) from error
        self._file.close()  # the mapping keeps the file
        return np.frombuffer(mapped, self._dtype).reshape(-1, *self._parts[0].shape[1:])

    @classmethod
    def of(cls, array: np.ndarray, directory: Path | None) -> np.ndarray:
        """Return an equal array, in a file if it is large."""
        if array.nbytes < _LEAST:
            return array
        spilled = cls(array.dtype, directory)
        if spilled._directory is None:
            return array
        spilled.append(array)
        return spilled.finish()

    @classmethod
    def several(cls, dtypes: Iterable[np.typing.DTypeLike], directory: Path | None) -> list[Self]:
        """Return an empty array of each type."""
        return [cls(dtype, directory) for dtype in dtypes]

    def _write(self, part: np.ndarray) -> None:
        assert self._file is not None
        rows = max(1, _PART // max(part[:1].nbytes, 1))
        try:
            for start in range(0, len(part), rows):
                self._file.write(np.ascontiguousarray(part[start : start + rows]).data)
        except OSError as error:
            raise from_os_error(error, self._directory) from error


def _nameless(directory: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=directory if os.access(directory, os.W_OK) else None)
    except OSError as error:
        raise from_os_error(error, directory) from error
