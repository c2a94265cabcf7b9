"""Arrays of fitted scorers: conversion of sparse matrices and optional numbers, and rows for what is new."""

from __future__ import annotations

from collections.abc import Mapping

from interestrec.core.deferred_import import np, sparse


def pack_matrix(name: str, matrix: sparse.csr_matrix) -> dict[str, np.ndarray]:
    """Return a sparse matrix as four arrays whose names begin with `name`."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.array(matrix.shape, dtype=np.int64),
    }


def unpack_matrix(name: str, arrays: Mapping[str, np.ndarray]) -> sparse.csr_matrix:
    """Restore the matrix of `pack_matrix`; entries keep their order."""
    parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix(parts, shape=tuple(arrays[f"{name}.shape"].tolist()))


def with_rows(array: np.ndarray, rows: int, value: np.ndarray | float | bool = 0.0) -> np.ndarray:
    """Return an array with rows of a value appended, [rows, …] of the same type."""
    new = np.empty((rows - len(array), *array.shape[1:]), array.dtype)
    new[:] = value
    return np.concatenate([array, new])


def pack_optional(value: float | None) -> np.ndarray:
    """Return a number as float64 [], NaN for None."""
    return np.array(np.nan if value is None else value, dtype=np.float64)


def unpack_optional(array: np.ndarray) -> float | None:
    """Restore the number or None of `pack_optional`."""
    return None if np.isnan(array) else float(array)
