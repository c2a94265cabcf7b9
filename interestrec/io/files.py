"""Reading and writing of artifact files, with validation on reading.

Files are written to a staging path; `commit` fsyncs it and renames it atomically.
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
from interestrec.io.row_groups import integer_bounds, ordered_groups
from interestrec.io.tensors import translate_tensor_errors

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

_BLOCK = 1 << 20
_REBUILD = "run the stage that wrote it again"
_MAX_JSON_BYTES = 1 << 26  # a parsed document takes up to twenty times its size
ROW_GROUP = 1 << 18  # rows of the largest row group


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
    """Map an array written by `write_array` into memory, read-only.

    Raises:
        ArtifactError: the file is not an array.
    """
    import numpy as np

    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _read_error(error, path, f"not an array ({error}); delete it and run again") from error


def _read_error(error: Exception, path: Path, damage: str) -> InterestrecError:
    """Distinguish a failure of the operating system, which has an errno, from a damaged file."""
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
    """Write a JSON document with sorted keys, so that equal content gives equal bytes; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def append_json_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line to a log that is not part of an artifact's digest, such as `timing.jsonl`."""
    try:
        with path.open("a", encoding="utf-8") as target:
            target.write(json.dumps(value, sort_keys=True, ensure_ascii=False) + "\n")
    except OSError as error:
        raise from_os_error(error, path) from error


def read_json(path: Path) -> Any:
    """Parse a JSON document written by an earlier stage or another tool."""
    try:
        if path.stat().st_size > _MAX_JSON_BYTES or not path.is_file():
            raise ArtifactError(
                f"{path}: not a JSON file of at most {_MAX_JSON_BYTES >> 20} MiB; rebuild or replace it"
            )
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise from_os_error(error, path) from error
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not valid JSON ({error}); rebuild or replace it") from error


def read_json_lines(path: Path) -> list[Any]:
    """Read the JSON lines of a log written by `append_json_line`; empty if the file does not exist.

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
    """Read the lines of a UTF-8 text file without line ends.

    Raises:
        DataError: the file is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); write one id per line"
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
    """Yield a function that appends a table with the schema to a Parquet file."""
    import pyarrow.parquet as pq

    try:
        options = {"compression": "zstd", "write_page_checksum": True, **encryption.writer_options()}
        with pq.ParquetWriter(path, schema, **options) as writer:
            yield lambda table: writer.write_table(table, row_group_size=ROW_GROUP)
    except OSError as error:
        raise from_os_error(error, path) from error


def stream_parquet(
    path: Path,
    columns: list[str],
    dictionary_columns: Sequence[str] = (),
    group_by: str | None = None,
    containing: tuple[str, str] | None = None,
    row_groups: Sequence[int] | None = None,
) -> "Iterator[pa.Table]":
    """Read columns of a Parquet file in tables of at most one row group and verify page checksums.

    Args:
        dictionary_columns: string columns to return dictionary-encoded, one dictionary per row group.
        group_by: string column; row groups with a single value of it are read next to those with the same value.
        containing: string column and value; row groups whose statistics exclude the value are skipped.
        row_groups: numbers of the row groups to read, in this order, instead of what the two before choose.

    Raises:
        ArtifactError: the file is not Parquet, is damaged, or lacks a column.
        AccessError: the file is encrypted with a key that is not configured.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        options = {"page_checksum_verification": True, **encryption.reader_options(path)}
        with pq.ParquetFile(path, read_dictionary=list(dictionary_columns), **options) as source:
            _require_plausible_size(source.metadata, path)
            _require_columns(path, columns, source.schema_arrow.names)
            order = ordered_groups(source, group_by, containing) if row_groups is None else list(row_groups)
            for batch in source.iter_batches(batch_size=ROW_GROUP, columns=columns, row_groups=order):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise _read_error(error, path, f"not readable as Parquet ({error}); {_REBUILD}") from error


def row_group_bounds(path: Path, column: str) -> list[tuple[int, int] | None]:
    """Return the least and the greatest value of an integer or time column in each row group; None if not recorded.

    Only the footer of the file is read. Times are in the unit of the column.

    Raises:
        ArtifactError, AccessError: see `stream_parquet`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, **encryption.reader_options(path)) as source:
            _require_plausible_size(source.metadata, path)
            _require_columns(path, [column], source.schema_arrow.names)
            return integer_bounds(source, column)
    except (OSError, pa.ArrowException) as error:
        raise _read_error(error, path, f"not readable as Parquet ({error}); {_REBUILD}") from error


def _require_plausible_size(metadata: "pq.FileMetaData", path: Path) -> None:
    """Refuse a file that claims to be far larger than its bytes allow, before memory is allocated for it."""
    if violation := limit_violation(metadata, path.stat().st_size):
        raise ArtifactError(f"{path}: not written by interestrec, {violation}; do not use it")


def _require_columns(path: Path, columns: Sequence[str], available: Sequence[str]) -> None:
    missing = [name for name in columns if name not in available]
    if missing:
        raise ArtifactError(f"{path}: lacks column(s) {', '.join(missing)}; {_REBUILD}")


def read_parquet(path: Path, schema: "pa.Schema | None" = None, columns: list[str] | None = None) -> "pa.Table":
    """Read a Parquet artifact and verify page checksums and, unless `columns` are selected, the schema's columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        options = {"page_checksum_verification": True, **encryption.reader_options(path)}
        with pq.ParquetFile(path, **options) as source:
            _require_plausible_size(source.metadata, path)
            table = source.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise _read_error(error, path, f"not readable as Parquet ({error}); {_REBUILD}") from error
    if schema is not None and columns is None:
        _require_columns(path, schema.names, table.column_names)
    return table


def write_safetensors(
    path: Path, tensors: "Mapping[str, np.ndarray]", metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays in the safetensors layout.

    `metadata` is for other tools: transformers expects `{"format": "pt"}` in a checkpoint.
    """
    from safetensors.numpy import save_file

    try:
        save_file(dict(sorted(tensors.items())), path, metadata=dict(metadata) if metadata else None)
    except OSError as error:
        raise from_os_error(error, path) from error
    except Exception as error:  # safetensors wraps I/O errors in its own exception type
        raise StorageError(f"{path}: cannot be written ({error}); free space or check the disk") from error


def read_safetensors(path: Path) -> "dict[str, np.ndarray]":
    """Read named arrays.

    Raises:
        InputMissingError: the file does not exist.
        ArtifactError: the file is not in the safetensors layout.
    """
    from safetensors.numpy import load_file

    with translate_tensor_errors(path):
        return load_file(path)
