"""All reading and writing of artifact files, checked on the way in.

What is written here lies in a directory or a file that has no name yet: `commit` flushes it and names it in one step.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.core.errors import ArtifactError, DataError, InterestrecError, StorageError, from_os_error
from interestrec.io import encryption
from interestrec.io.parquet_limits import limit_violation
from interestrec.io.tensors import describe_tensors

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

_BLOCK = 1 << 20
_AGAIN = "run the stage that wrote it again"
_LARGEST_JSON = 1 << 26  # bytes; parsed, a document takes up to twenty times its size
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
        raise _unreadable(error, path, f"not an array ({error}); delete it and run again") from error


def _unreadable(error: Exception, path: Path, damage: str) -> InterestrecError:
    """What it means that a file cannot be read: the system failed, whose errors have a number, or it is damaged."""
    if isinstance(error, OSError) and error.errno is not None:
        return from_os_error(error, path)
    return ArtifactError(f"{path}: {damage}")


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
        if path.stat().st_size > _LARGEST_JSON or not path.is_file():
            raise ArtifactError(f"{path}: no file of JSON of at most {_LARGEST_JSON >> 20} MiB; rebuild or replace it")
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
            _require_plausible(source.metadata, path)
            lacking = [name for name in columns if name not in source.schema_arrow.names]
            if lacking:
                raise ArtifactError(f"{path}: lacks column(s) {', '.join(lacking)}; run the stage that wrote it again")
            order = _row_groups(source, together, only)
            for batch in source.iter_batches(batch_size=_ROW_GROUP, columns=columns, row_groups=order):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(error, path, f"not readable as Parquet ({error}); {_AGAIN}") from error


def _require_plausible(metadata: "pq.FileMetaData", path: Path) -> None:
    """Refuse a file that says it is far larger than its bytes can hold, before anything is allocated for it."""
    if fault := limit_violation(metadata, path.stat().st_size):
        raise ArtifactError(f"{path}: not written by interestrec, {fault}; do not use it")


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
        with pq.ParquetFile(path, **options) as source:
            _require_plausible(source.metadata, path)
            table = source.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(error, path, f"not readable as Parquet ({error}); {_AGAIN}") from error
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
    from safetensors.numpy import load_file

    with describe_tensors(path):
        return load_file(path)
