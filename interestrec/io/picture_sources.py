"""Where the pictures of items lie: files below a directory, or a column of a Parquet file."""

import errno
import functools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from interestrec.core.errors import DataError, from_os_error
from interestrec.io.given_parquet import open_given_parquet
from interestrec.io.picture_headers import MAX_PICTURE_BYTES
from interestrec.io.schemas import PICTURE_MISSING, PICTURE_NONE, PICTURE_OUTSIDE, PICTURE_TOO_LARGE

# An item's row and the bytes of its picture, or the status that says why there are none.
Picture = tuple[int, bytes | str]
PictureBlock = Callable[[], Iterable[Picture]]  # reads the pictures of a block, in the thread that calls it
_PICTURES_PER_BLOCK = 16
_ROWS_PER_READ = 16  # at most 512 MiB of pictures
_NAMES_NO_FILE = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO})


class PictureSource(Protocol):
    """The pictures of a list of items."""

    def __len__(self) -> int:
        """Number of items, with and without a picture."""

    def blocks(self, rows: np.ndarray) -> Iterator[PictureBlock]:
        """Yield the pictures of items, int64 [items], each row once and in the order of the source.

        Raises:
            AccessError, StorageError: a file that exists cannot be read.
        """


@dataclass(frozen=True)
class PictureFiles:
    """Pictures in files; nothing outside of the directory is read."""

    directory: Path
    paths: Sequence[str | None]  # per item, relative to the directory

    def __len__(self) -> int:
        return len(self.paths)

    def blocks(self, rows: np.ndarray) -> Iterator[PictureBlock]:
        """See PictureSource."""
        home = self.directory.resolve()
        for start in range(0, len(rows), _PICTURES_PER_BLOCK):
            part = rows[start : start + _PICTURES_PER_BLOCK].tolist()
            yield functools.partial(self._pictures, home, part)

    def _pictures(self, home: Path, rows: list[int]) -> Iterator[Picture]:
        return ((row, _read(home, self.paths[row])) for row in rows)


def _read(home: Path, name: str | None) -> bytes | str:
    """Read a file, at most one byte more than a picture may have."""
    if not name or "\0" in name:
        return PICTURE_MISSING
    try:
        path = (home / name).resolve()
        if not path.is_relative_to(home):
            return PICTURE_OUTSIDE
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for its writer
        with open(descriptor, "rb") as source:  # noqa: PTH123 - of a descriptor
            return _content(source.fileno(), source.read)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):  # a link to itself is a RuntimeError
        return PICTURE_MISSING
    except IsADirectoryError:
        return PICTURE_NONE
    except OSError as error:
        if error.errno in _NAMES_NO_FILE:
            return PICTURE_MISSING
        raise from_os_error(error, name) from error


def _content(descriptor: int, read: Callable[[int], bytes]) -> bytes | str:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        return PICTURE_NONE
    return PICTURE_TOO_LARGE if state.st_size > MAX_PICTURE_BYTES else read(MAX_PICTURE_BYTES + 1)


@dataclass(frozen=True)
class PictureColumn:
    """Pictures in a Parquet file, one row per picture: an id and the bytes."""

    path: Path
    column: str  # of bytes, or of Hugging Face's struct {bytes, path}, whose path is not followed
    places: np.ndarray  # row of the file per item, int64 [items]; -1 = it has none

    def __len__(self) -> int:
        return len(self.places)

    def blocks(self, rows: np.ndarray) -> Iterator[PictureBlock]:
        """See PictureSource."""
        absent = rows[self.places[rows] < 0]
        if len(absent):
            yield lambda: [(row, PICTURE_MISSING) for row in absent.tolist()]
        present = rows[self.places[rows] >= 0]
        present = present[np.argsort(self.places[present])]
        places, start = self.places[present], 0
        taken: list[tuple[int, pa.Scalar]] = []
        for column in _batches(self.path, self.column, places):
            low, high = np.searchsorted(places, (start, start + len(column)))
            wanted = column.take(pa.array(places[low:high] - start))
            taken += zip(present[low:high].tolist(), wanted, strict=True)
            start += len(column)
            if len(taken) >= _PICTURES_PER_BLOCK:
                yield _block_of(taken)
                taken = []
        if taken:
            yield _block_of(taken)


def _block_of(taken: list[tuple[int, pa.Scalar]]) -> PictureBlock:
    return lambda: ((row, _bytes_of(value)) for row, value in taken)


def _bytes_of(value: pa.Scalar) -> bytes | str:
    if isinstance(value, pa.StructScalar) and value.is_valid:
        value = value["bytes"]
    if not value.is_valid:
        return PICTURE_MISSING
    return PICTURE_TOO_LARGE if value.as_buffer().size > MAX_PICTURE_BYTES else value.as_py()


def _batches(path: Path, column: str, places: np.ndarray) -> Iterator[pa.Array]:
    """Read a column in small parts up to the last row that is wanted."""
    start = 0
    with open_given_parquet(path) as source:
        for batch in source.iter_batches(_ROWS_PER_READ, columns=[column]):
            if not len(places) or start > places[-1]:
                return
            yield batch.column(0)
            start += len(batch)


def picture_column(path: Path, id_column: str, column: str, item_ids: Iterable[str]) -> PictureColumn:
    """Look items up in a Parquet file of pictures; only the ids are read.

    Args:
        id_column: of strings or whole numbers.
        column: of bytes, or of a struct with a field `bytes`.
        item_ids: in the order of the items.

    Raises:
        InputMissingError, StorageError, AccessError: the file cannot be read.
        ArtifactError: it is not Parquet, or claims to be far larger than it is.
        DataError: a column is missing or of another type, or an id is there twice.
    """
    with open_given_parquet(path) as source:
        schema = source.schema_arrow
        for name in (id_column, column):
            if name not in schema.names:
                raise DataError(f"{path}: has no column '{name}', but {', '.join(schema.names)}; name one of these")
        kind, id_type = schema.field(column).type, schema.field(id_column).type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise DataError(f"{path}: column '{column}' has type {kind}, not binary or a struct with bytes; choose one")
        if not (pa.types.is_integer(id_type) or pa.types.is_string(id_type) or pa.types.is_large_string(id_type)):
            raise DataError(f"{path}: column '{id_column}' has type {id_type}, not text or whole numbers; choose one")
        place: dict[str, int] = {}
        count = 0
        for batch in source.iter_batches(columns=[id_column]):
            for item_id in batch.column(0).cast(pa.string()).to_pylist():
                if item_id is not None and place.setdefault(item_id, count) != count:
                    raise DataError(f"{path}: has two pictures of one item; keep one of each: ", item_id)
                count += 1
    return PictureColumn(path, column, np.array([place.get(item_id, -1) for item_id in item_ids], np.int64))
