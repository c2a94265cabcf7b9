"""Columns of vectors: a matrix as one Arrow list of fixed size per row."""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np


def vector_type(width: int) -> pa.DataType:
    """Return the type of a column of vectors, float32 [width] each."""
    return pa.list_(pa.field("element", pa.float32(), nullable=False), width)


def vector_column(vectors: "np.ndarray") -> pa.FixedSizeListArray:
    """Convert vectors, float32 [rows, width], to a column of `vector_type`."""
    values = pa.array(vectors.reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(values, type=vector_type(vectors.shape[1]))


def vector_matrix(column: pa.ChunkedArray) -> "np.ndarray":
    """Invert `vector_column`: float32 [rows, width]."""
    joined = column.combine_chunks()
    return joined.flatten().to_numpy().reshape(len(joined), column.type.list_size)
