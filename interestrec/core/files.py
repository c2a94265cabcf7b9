"""All reading and writing of artifact files: checked on the way in, whole and flushed to disk on the way out.

What is written lies in a directory or beside a file that has no name yet: `install` and `replacing` flush it and name
it in one step.
"""

import ctypes
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.core import encryption
from interestrec.core.errors import ArtifactError, CannotCreateError, DataError, StorageError, from_os_error
from interestrec.core.locks import claim

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

_BLOCK = 1 << 20
_PARTIAL = ".partial-"  # and the process, in names of files that are being written
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of renameat2(2)
_ROW_GROUP = 1 << 18


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise from_os_error(error, path) from error
    return digest.hexdigest()


def sha256_of_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sync(path: Path) -> None:
    """Flush a file or a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the place of `path` when the block ends well: there whole or not at all.

    The sibling is locked while it is written, so that the next to write beside it can tell, and take away, what a
    killed process left.

    Raises:
        CannotCreateError: the directory cannot be created.
    """
    partial = path.with_name(f"{path.name}{_PARTIAL}{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreateError(f"{path.parent}: cannot create the directory ({error.strerror})") from error
    descriptor = None
    try:
        drop_partials(path.parent)
        descriptor = claim(partial)
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        raise from_os_error(error, path) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)
        partial.unlink(missing_ok=True)


def drop_partials(directory: Path) -> list[Path]:
    """Take away what processes that are no more left half written in a directory; gives what it was."""
    dropped = []
    for partial in sorted(directory.glob(f"*{_PARTIAL}*")):
        if partial.is_file() and (descriptor := claim(partial)) is not None:
            partial.unlink(missing_ok=True)
            os.close(descriptor)
            dropped.append(partial)
    return dropped


def install(built: Path, final: Path) -> None:
    """Give a directory its final name, flushed to disk, in one step: whoever looks sees the old one or the new one.

    Raises:
        StorageError: the disk is full or fails, or `final` exists and the file system cannot exchange two names.
    """
    try:
        for path in sorted(built.rglob("*"), reverse=True):
            sync(path)
        sync(built)
        if final.exists():
            _exchange(built, final)
            sync(final.parent)
            shutil.rmtree(built)
        else:
            built.rename(final)
            for directory in final.parent, final.parent.parent:  # the first may be new as well
                sync(directory)
    except OSError as error:
        raise from_os_error(error, final) from error


def _exchange(one: Path, other: Path) -> None:
    """Swap two names of one file system in one step, which Python has no call for: `rename` takes no full directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if libc.renameat2(*names, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))


def write_array(path: Path, array: "np.ndarray") -> None:
    """Write one array in NumPy's format."""
    import numpy as np

    try:
        with path.open("wb") as target:
            np.save(target, array, allow_pickle=False)
    except OSError as error:
        raise from_os_error(error, path) from error


def map_array(path: Path) -> "np.ndarray":
    """An array of `write_array`, mapped into memory and not to be written to.

    Raises:
        ArtifactError: it is no such file.
    """
    import numpy as np

    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: not an array ({error}); delete it and run again") from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    try:
        with path.open("w", encoding="utf-8", newline="\n") as target:
            target.write(text)
    except OSError as error:
        raise from_os_error(error, path) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document with sorted keys, so that equal content is equal bytes. NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def append_json_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line; for logs outside an artifact's digests, such as `timing.jsonl`."""
    try:
        with path.open("a", encoding="utf-8") as target:
            target.write(json.dumps(value, sort_keys=True, ensure_ascii=False) + "\n")
    except OSError as error:
        raise from_os_error(error, path) from error


def read_json(path: Path) -> Any:
    """Parse a JSON document written by an earlier stage or another tool."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not valid JSON ({error}); rebuild or replace it") from error


def read_json_lines(path: Path) -> list[Any]:
    """The JSON lines of a log that `append_json_line` wrote; none when there is no such file.

    Raises:
        ArtifactError: a line is not JSON.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not JSON lines ({error}); delete it") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text that a person or another program wrote, without their ends.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); one id a line is wanted"
        ) from error


def write_parquet(path: Path, table: "pa.Table", schema: "pa.Schema") -> None:
    """Write a table that must match `schema`, with page checksums."""
    write_parquet_batches(path, [table.select(schema.names).cast(schema)], schema)


def write_parquet_batches(path: Path, tables: "Iterable[pa.Table]", schema: "pa.Schema") -> None:
    """Stream tables of one schema into a single Parquet file; memory is bounded by the largest table."""
    with parquet_writer(path, schema) as write:
        for table in tables:
            write(table)


@contextmanager
def parquet_writer(path: Path, schema: "pa.Schema") -> "Iterator[Callable[[pa.Table], None]]":
    """A function that appends a table of the schema to a Parquet file."""
    import pyarrow.parquet as pq

    try:
        options = {"compression": "zstd", "write_page_checksum": True, **encryption.writing()}
        with pq.ParquetWriter(path, schema, **options) as writer:
            yield lambda table: writer.write_table(table, row_group_size=_ROW_GROUP)
    except OSError as error:
        raise from_os_error(error, path) from error


def stream_parquet(
    path: Path,
    columns: list[str],
    words: Sequence[str] = (),
    together: str | None = None,
    only: tuple[str, str] | None = None,
) -> "Iterator[pa.Table]":
    """Some columns of a Parquet file in tables of at most a row group, verifying page checksums.

    Args:
        words: columns of strings to give as dictionaries, which a row group has one of.
        together: a column of strings; row groups that hold one value of it come next to the others of that value.
        only: a column of strings and a value of it; row groups that cannot hold it are passed over.

    Raises:
        ArtifactError: the file is no Parquet, is damaged, or lacks a column.
        AccessError: it is encrypted with a key that is not there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        options = {"page_checksum_verification": True, **encryption.reading(path)}
        with pq.ParquetFile(path, read_dictionary=list(words), **options) as source:
            lacking = [name for name in columns if name not in source.schema_arrow.names]
            if lacking:
                raise ArtifactError(f"{path}: lacks column(s) {', '.join(lacking)}; run the stage that wrote it again")
            order = _row_groups(source, together, only)
            for batch in source.iter_batches(batch_size=_ROW_GROUP, columns=columns, row_groups=order):
                yield pa.Table.from_batches([batch])
    except FileNotFoundError as error:
        raise from_os_error(error, path) from error
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: not readable as Parquet ({error}); run the stage that wrote it again") from error


def _row_groups(source: "pq.ParquetFile", together: str | None, only: tuple[str, str] | None) -> list[int]:
    """The row groups to read, those of equal values of the column next to each other, values as they first appear."""
    numbers = list(range(source.metadata.num_row_groups))
    if only is not None:
        column, value = only
        numbers = [n for n in numbers if (ends := _ends(source, n, column)) is None or ends[0] <= value <= ends[1]]
    if together is None:
        return numbers
    first: dict[str, int] = {}
    value_of: dict[int, str] = {}
    for number in numbers:
        ends = _ends(source, number, together)
        if ends is None or ends[0] != ends[1]:
            return numbers
        value_of[number] = ends[0]
        first.setdefault(ends[0], number)
    return sorted(numbers, key=lambda number: (first[value_of[number]], number))


def _ends(source: "pq.ParquetFile", row_group: int, column: str) -> tuple[str, str] | None:
    """Least and largest value of a column of strings in a row group, where the file says."""
    place = source.schema_arrow.names.index(column)
    found = source.metadata.row_group(row_group).column(place).statistics
    return None if found is None else (found.min, found.max)


def read_parquet(path: Path, schema: "pa.Schema | None" = None, columns: list[str] | None = None) -> "pa.Table":
    """Read a Parquet artifact, verifying page checksums and, when given, that it has the schema's columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        options = {"page_checksum_verification": True, **encryption.reading(path)}
        table = pq.read_table(path, columns=columns, memory_map=False, **options)
    except FileNotFoundError as error:
        raise from_os_error(error, path) from error
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{path}: not readable as Parquet ({error}); run the stage that wrote it again") from error
    if schema is not None and columns is None:
        missing = [name for name in schema.names if name not in table.column_names]
        if missing:
            raise ArtifactError(f"{path}: lacks column(s) {', '.join(missing)}; run the stage that wrote it again")
    return table


def write_safetensors(
    path: Path, tensors: "Mapping[str, np.ndarray]", metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays in the safetensors layout.

    `metadata` is for other tools' sake: `{"format": "pt"}` is what transformers expects of a checkpoint.
    """
    from safetensors.numpy import save_file

    try:
        save_file(dict(sorted(tensors.items())), path, metadata=dict(metadata) if metadata else None)
    except OSError as error:
        raise from_os_error(error, path) from error
    except Exception as error:  # safetensors wraps I/O errors in a type of its own
        raise StorageError(f"{path}: could not be written ({error}); free space or check the disk") from error


def read_safetensors(path: Path) -> "dict[str, np.ndarray]":
    """Read named arrays.

    Raises:
        InputMissingError: there is no such file.
        ArtifactError: the file is not in the safetensors layout.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise from_os_error(error, path) from error
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ArtifactError(f"{path}: not a valid safetensors file ({error}); fetch or build it again") from error
