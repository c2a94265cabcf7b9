"""The table of the pictures of items: what is there, checked without decoding, by the digest of the content."""

import hashlib
from collections import Counter

import numpy as np
import pyarrow as pa

from interestrec.core.prefetch import prefetch
from interestrec.io.picture_headers import picture_status
from interestrec.io.picture_sources import PictureBlock, PictureSource
from interestrec.io.schemas import PICTURE_OK, PICTURE_STATUSES, PICTURES

_Row = tuple[int, bytes | None, str]


def picture_key(content: bytes) -> bytes:
    """Return the first 16 bytes of the SHA-256 of a picture, which is one for equal files."""
    return hashlib.sha256(content).digest()[:16]


def picture_table(source: PictureSource) -> tuple[pa.Table, dict[str, int]]:
    """Read the pictures of all items, two threads ahead; memory is bounded by a few of them.

    Returns:
        The table of schemas.PICTURES, one row per item in their order; and the items per status, zeros included.

    Raises:
        AccessError, StorageError, ArtifactError: as `PictureSource.blocks`.
    """
    keys: list[bytes | None] = [None] * len(source)
    statuses = [""] * len(source)
    for rows in prefetch(source.blocks(np.arange(len(source))), _examine):
        for row, key, status in rows:
            keys[row], statuses[row] = key, status
    counts = Counter(statuses)
    columns = [
        pa.array(range(len(source)), pa.int32()),
        pa.array(keys, PICTURES.field("key").type),
        pa.array(statuses, pa.string()).cast(PICTURES.field("status").type),
    ]
    return pa.Table.from_arrays(columns, schema=PICTURES), {name: counts[name] for name in PICTURE_STATUSES}


def _examine(block: PictureBlock) -> list[_Row]:
    return [_examined(row, content) for row, content in block()]


def _examined(row: int, content: bytes | str) -> _Row:
    if isinstance(content, str):
        return row, None, content
    status = picture_status(content)
    return row, picture_key(content) if status == PICTURE_OK else None, status
