"""Vectors of the pictures of items: each distinct picture once, or not at all if its vector is in the cache."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from interestrec.core.errors import ArtifactError, DataError
from interestrec.core.prefetch import prefetch
from interestrec.core.progress import log, track
from interestrec.corpus.picture_table import picture_key
from interestrec.encoding.picture_decoding import decode_picture
from interestrec.encoding.vector_cache import VectorCache, cache_path
from interestrec.io import files
from interestrec.io.encoder_files import PREPARATION
from interestrec.io.picture_sources import PictureBlock, PictureSource
from interestrec.io.schemas import PICTURE_OK
from interestrec.model.backend import tf
from interestrec.model.picture_encoder import PictureEncoder
from interestrec.model.picture_preparation import PicturePreparation

_PICTURES_PER_SHARD = 1024  # the loss if a run is killed


class PictureVectors(NamedTuple):
    """Vectors of items, and which items have one."""

    vectors: np.ndarray  # float32 [items, width]; 0 where there is no picture
    present: np.ndarray  # bool [items]
    undecodable: int  # items whose picture has a good header but does not decode


def picture_cache(directory: Path, workspace: Path, size: int) -> VectorCache:
    """Return the cache of the vectors of pictures by the encoder and the preparation in `directory`.

    Args:
        size: of a prepared picture, in pixels.
    """
    part = f"pictures {files.sha256_of(directory / PREPARATION)}"
    return VectorCache(cache_path(workspace, "vectors", directory, part, size, "float32"))


def encode_pictures(
    encoder: PictureEncoder,
    preparation: PicturePreparation,
    pictures: pa.Table,
    source: PictureSource,
    cache: VectorCache | None = None,
) -> PictureVectors:
    """Encode the pictures of all items; two threads read, decode and encode side by side.

    Equal pictures are encoded once. The vectors are equal to the last bit with and without a cache, and whatever other
    pictures there are.

    Args:
        pictures: table of schemas.PICTURES.
        source: the pictures that the table describes.

    Raises:
        ArtifactError: the preparation does not fit the encoder.
        DataError: the source is not that of the table, or a picture has changed since.
        AccessError, StorageError, ArtifactError: as `PictureSource.blocks`.
    """
    require_fit(encoder, preparation, pictures, source)
    rows = np.flatnonzero(pictures["status"].combine_chunks().cast(pa.string()).to_numpy(False) == PICTURE_OK)
    encoded = pictures["key"].combine_chunks().take(pa.array(rows)).dictionary_encode()
    keys, number = encoded.dictionary, encoded.indices.to_numpy()
    first = rows[np.unique(number, return_index=True)[1]]  # an item per distinct picture
    vectors, known = np.zeros((len(keys), encoder.width), np.float32), np.zeros(len(keys), bool)
    if cache is not None:
        vectors, known = cache.load(keys, encoder.width)
    log.info("encoding: %d of %d distinct pictures are in the vector cache", known.sum(), len(known))
    pending: list[int] = []
    for picture, vector in _encode(encoder, preparation, source, keys, first, np.flatnonzero(~known)):
        vectors[picture], known[picture] = vector, True
        pending.append(picture)
        if len(pending) >= _PICTURES_PER_SHARD:
            _store(cache, keys, vectors, pending)
    _store(cache, keys, vectors, pending)
    present = np.zeros(len(pictures), bool)
    present[rows] = known[number]
    whole = np.zeros((len(pictures), encoder.width), np.float32)
    whole[rows] = vectors[number]
    undecodable = len(rows) - int(present.sum())
    if undecodable:
        log.warning("encoding: the pictures of %d items do not decode and count as missing", undecodable)
    return PictureVectors(whole, present, undecodable)


def require_fit(
    encoder: PictureEncoder, preparation: PicturePreparation, pictures: pa.Table, source: PictureSource
) -> None:
    """Check what `encode_pictures` is given.

    Raises:
        ArtifactError, DataError: as `encode_pictures`.
    """
    if preparation.size != encoder.size:
        raise ArtifactError(
            f"{PREPARATION}: makes pictures of {preparation.size} pixels, but the encoder takes {encoder.size}; "
            "choose another encoder"
        )
    if len(source) != len(pictures):
        raise DataError(f"{len(source):,} items have pictures, but {len(pictures):,} were checked; preprocess again")


def _store(cache: VectorCache | None, keys: pa.Array, vectors: np.ndarray, pending: list[int]) -> None:
    """Add the pending pictures to the cache and clear them."""
    if cache is not None and pending:
        cache.add(keys.take(pa.array(pending)), vectors[pending])
    pending.clear()


def _encode(
    encoder: PictureEncoder,
    preparation: PicturePreparation,
    source: PictureSource,
    keys: pa.Array,
    first: np.ndarray,
    missing: np.ndarray,
) -> Iterator[tuple[int, np.ndarray]]:
    """Encode the distinct pictures `missing`, int64, in the order of the source; those that do not decode are left out.

    A batch is one picture: products of matrices treat their last rows in another way, so the bits of a picture would
    depend on its place in a larger batch. The threads share the processors instead.

    Args:
        keys: of all distinct pictures.
        first: an item per distinct picture, int64.
    """
    number_of = dict(zip(first[missing].tolist(), missing.tolist(), strict=True))
    signature = tf.TensorSpec([preparation.size, preparation.size, 3], tf.uint8)

    @tf.function(input_signature=[signature], autograph=False)
    def forward(levels: tf.Tensor) -> tf.Tensor:
        return encoder.vectors(preparation.normalise(levels[None]))[0]

    def encode(block: PictureBlock) -> list[tuple[int, np.ndarray]]:
        encoded = []
        for row, content in block():
            levels = picture_levels(content, keys[number_of[row]].as_py(), row, preparation)
            if levels is not None:
                encoded.append((number_of[row], forward(levels).numpy()))
        return encoded

    for encoded in track(prefetch(source.blocks(first[missing]), encode), "encoding", unit="blocks"):
        yield from encoded


def picture_levels(content: bytes | str, key: bytes, row: int, preparation: PicturePreparation) -> tf.Tensor | None:
    """Decode and resize a picture; None if it does not decode.

    Args:
        content: as `PictureSource.blocks` yields it.
        key: `picture_key` of the picture when it was checked.
        row: of its item.

    Raises:
        DataError: the picture has changed since.
    """
    if isinstance(content, str) or picture_key(content) != key:
        raise DataError(f"the picture of the item in row {row:,} has changed since it was checked; preprocess again")
    picture = decode_picture(content)
    return None if picture is None else preparation.resize(picture)
