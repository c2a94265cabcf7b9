"""Files of vectors by item id, which other models and services have made: Parquet, `.npy` and `.safetensors`.

Blocks of rows are read one after the other, so that memory is bounded whatever the size of the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from interestrec.core.errors import DataError, InputMissingError
from interestrec.io import files
from interestrec.io.given_parquet import open_given_parquet
from interestrec.io.tensors import FLOATS, read_tensor_headers, translate_tensor_errors

_ROWS = 1 << 15  # of a block
_LAYOUTS = (".parquet", ".npy", ".safetensors")


@dataclass(frozen=True)
class VectorFile:
    """A file of vectors and how its rows are named."""

    path: Path
    ids: Path | None  # of the rows of a matrix, one per line
    id_column: str  # of a Parquet file
    vector_column: str  # likewise

    def blocks(self) -> Iterator[tuple[pa.Array, np.ndarray]]:
        """Yield blocks of item ids, string [rows], and vectors, [rows, width]; rows without a vector are left out.

        Raises:
            InputMissingError: a file is missing.
            DataError: the file has another layout, column or type, vectors of several widths, or a number of ids that
                differs from that of its rows.
            ArtifactError: the file is damaged, or claims to be far larger than it is.
        """
        if not self.path.is_file():
            raise InputMissingError(f"{self.path}: no file of vectors here; correct encoders.<name>.source")
        if self.path.suffix == ".parquet":
            yield from self._parquet_blocks()
        elif self.path.suffix in _LAYOUTS:
            yield from self._matrix_blocks()
        else:
            raise DataError(f"{self.path}: vectors are read from {', '.join(_LAYOUTS)} files; convert it to one")

    def _parquet_blocks(self) -> Iterator[tuple[pa.Array, np.ndarray]]:
        with open_given_parquet(self.path) as source:
            for name in (self.id_column, self.vector_column):
                if name not in source.schema_arrow.names:
                    found = ", ".join(source.schema_arrow.names)
                    raise DataError(
                        f"{self.path}: has no column '{name}' but {found}; name its columns by id_column and "
                        "vector_column under encoders"
                    )
            kind = source.schema_arrow.field(self.vector_column).type
            if not (_is_list(kind) and pa.types.is_floating(kind.value_type)):
                raise DataError(f"{self.path}: '{self.vector_column}' is of type {kind}, not lists of floating numbers")
            width = None
            for batch in source.iter_batches(_ROWS, columns=[self.id_column, self.vector_column]):
                known = batch.filter(batch[self.vector_column].is_valid())
                if not known.num_rows:
                    continue
                vectors = self._matrix(known[self.vector_column], width)
                width = vectors.shape[1]
                yield known[self.id_column].cast(pa.string()), vectors

    def _matrix(self, column: pa.Array, width: int | None) -> np.ndarray:
        values = column.flatten()
        found = len(values) // len(column) if width is None else width
        lengths = column.value_lengths() if not pa.types.is_fixed_size_list(column.type) else None
        uneven = lengths is not None and not np.array_equal(lengths.to_numpy(), np.full(len(column), found))
        if uneven or len(values) != found * len(column) or not found or values.null_count:
            raise DataError(f"{self.path}: the vectors differ in length or have gaps; each must have {found} numbers")
        return values.to_numpy().reshape(-1, found)

    def _matrix_blocks(self) -> Iterator[tuple[pa.Array, np.ndarray]]:
        if self.ids is None:
            raise DataError(f"{self.path}: has no item ids; name a file with the id of each row by encoders.<name>.ids")
        ids = pa.array(files.read_lines(self.ids), pa.string())
        if self.path.suffix == ".npy":
            matrix = files.map_array(self.path)
            self._require_matrix(matrix.ndim, matrix.dtype.kind == "f", len(matrix) if matrix.ndim else 0, len(ids))
            for start in range(0, len(ids), _ROWS):
                yield ids.slice(start, _ROWS), matrix[start : start + _ROWS]
            return
        from safetensors import safe_open

        headers = read_tensor_headers(self.path)
        if len(headers) != 1:
            raise DataError(
                f"{self.path}: has the tensors {', '.join(sorted(headers)) or 'none'}; one matrix is expected"
            )
        ((name, header),) = headers.items()
        self._require_matrix(len(header.shape), header.type in FLOATS - {"BF16"}, (*header.shape, 0)[0], len(ids))
        with translate_tensor_errors(self.path), safe_open(self.path, "np") as source:
            rows = source.get_slice(name)
            for start in range(0, len(ids), _ROWS):
                yield ids.slice(start, _ROWS), rows[start : min(start + _ROWS, len(ids))]

    def _require_matrix(self, rank: int, is_float: bool, rows: int, ids: int) -> None:
        if rank != 2 or not is_float:
            raise DataError(f"{self.path}: is not a matrix of float16, float32 or float64 numbers; convert it")
        if rows != ids:
            raise DataError(f"{self.path}: has {rows:,} rows, but {self.ids} {ids:,} ids; one id per row is expected")


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
