"""Kinds of raw files by their suffixes, and files that are compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from interestrec.core.deferred_import import pa
from interestrec.core.errors import DataError, from_os_error

PARQUET = ".parquet"
JSON = (".jsonl", ".ndjson", ".json")
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
KINDS = (PARQUET, *JSON, *DELIMITERS)
_UNREADABLE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


def kind_of(path: Path) -> str:
    """Return the suffix that tells the kind of a file, in lower case, without that of its compression.

    A file without a suffix, such as `part-00000`, is of the kind that its directory's name tells; a zip archive of the
    kind of the file in it.

    Raises:
        DataError: a zip archive does not hold exactly one file.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if not suffixes:
        return path.parent.suffix.lower()
    packed = suffixes.pop() if suffixes[-1] in OPENERS else ""
    kind = suffixes[-1] if suffixes else ""
    if packed == ".zip" and kind not in KINDS:
        try:
            return kind_of(Path(_only_member(path)))
        except zipfile.BadZipFile as error:
            raise _damaged(path, packed, error) from error
    return kind


def compression_of(path: Path) -> str:
    """Return the suffix of the compression of a file, empty where it has none: `.gz` of `a.csv.gz` and `a.gz.csv`."""
    last = [suffix.lower() for suffix in path.suffixes[-2:]]
    return next((suffix for suffix in reversed(last) if suffix in OPENERS), "")


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading the bytes that it holds, decompressed by its suffix.

    Raises:
        InputMissingError: the file does not exist.
        DataError: it is not a regular file, is damaged, or is a zip archive of several files.
    """
    if path.exists() and not path.is_file():  # a pipe or a device may never end
        raise DataError(f"{path}: not a regular file; copy its content into one")
    compression = compression_of(path)
    try:
        with OPENERS.get(compression, Path.open)(path, "rb") as source:
            yield source
    except _UNREADABLE as error:
        raise _damaged(path, compression, error) from error
    except OSError as error:
        # The errors of bz2 and of Arrow about what they read have no number.
        if compression and error.errno is None:
            raise _damaged(path, compression, error) from error
        raise from_os_error(error, path) from error


def _damaged(path: Path, compression: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rstrip(".")
    return DataError(f"{path}: damaged {_NAMES[compression]} file ({reason}); download or copy it again")


@contextmanager
def _open_zstandard(path: Path, mode: str) -> Iterator[Any]:
    with pa.OSFile(str(path)) as packed, pa.CompressedInputStream(packed, "zstd") as source:
        yield source


@contextmanager
def _open_zip(path: Path, mode: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open(_only_member(path)) as source:
        yield source


def _only_member(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(names) == 1:
        return names[0]
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    shown = f": {', '.join(names[:10])}{more}" if names else ""
    raise DataError(
        f"{path}: a zip archive must hold exactly one file, this one holds {len(names):,}; unpack it", shown
    )


# Suffix of a compression -> function (path, "rb") that opens the bytes within.
OPENERS: dict[str, Callable[[Path, Any], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstandard,
    ".zip": _open_zip,
}
_NAMES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard", ".zip": "zip"}
