"""Vectors from outside, brought into the order of the items of a corpus."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.io.given_vectors import VectorFile

_MAX_EXAMPLES = 3


class VectorCounts(NamedTuple):
    """What became of the vectors of a file, and which items have one."""

    width: int
    found: int  # items with a vector
    missing: int  # items without
    unknown: int  # vectors of ids that are no item


def align_vectors(source: VectorFile, item_ids: pa.Array, target: Path) -> VectorCounts:
    """Write the vectors of items in the items' order as float32 [items, width], 0 where an item has none.

    The target is written through a memory map, block by block.

    Args:
        item_ids: string [items].
        target: `.npy` file.

    Raises:
        DataError: an id stands twice, a vector is not finite, the file has no vector of an item, or as in
            `VectorFile.blocks`.
    """
    matrix: np.memmap[Any, np.dtype[np.float32]] | None = None
    found, unknown = np.zeros(len(item_ids), bool), 0
    for ids, vectors in source.blocks():
        if matrix is None:
            shape = (len(item_ids), vectors.shape[1])
            matrix = np.lib.format.open_memmap(target, mode="w+", dtype=np.float32, shape=shape)
        place = pc.index_in(ids, item_ids).fill_null(-1).to_numpy()
        known = np.flatnonzero(place >= 0)
        _require_once(source.path, item_ids, place[known], found)
        block = np.asarray(vectors)[known] if len(known) < len(place) else vectors
        if not np.isfinite(block).all():
            broken = known[~np.isfinite(block).all(axis=1)][:_MAX_EXAMPLES]
            named = ", ".join(ids.take(pa.array(broken)).to_pylist())
            raise DataError(f"{source.path}: numbers of {named} are not finite; leave these items out or correct them")
        matrix[place[known]] = block
        found[place[known]] = True
        unknown += len(place) - len(known)
    if matrix is None or not found.any():
        raise DataError(f"{source.path}: has a vector of none of the {len(item_ids):,} items; compare the ids")
    matrix.flush()
    return VectorCounts(matrix.shape[1], int(found.sum()), int((~found).sum()), unknown)


def _require_once(path: Path, item_ids: pa.Array, place: np.ndarray, found: np.ndarray) -> None:
    rows, counts = np.unique(place, return_counts=True)
    twice = rows[(counts > 1) | found[rows]][:_MAX_EXAMPLES]
    if len(twice):
        named = ", ".join(item_ids.take(pa.array(twice)).to_pylist())
        raise DataError(f"{path}: has several vectors of {named}; keep one row per item")
