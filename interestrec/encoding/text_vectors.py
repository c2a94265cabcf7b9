"""Encoding of all texts: each distinct text once, or not at all if its vector is in the cache."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from interestrec.core.prefetch import prefetch
from interestrec.core.progress import log, track
from interestrec.encoding.int8_encoder import TOKENS_A_BATCH, Int8Encoder
from interestrec.encoding.vector_cache import VectorCache, keys_of
from interestrec.model.backend import tf
from interestrec.model.encoder import EncoderInputs, InputEncoder
from interestrec.text.text_inputs import batches

Forward = Callable[[np.ndarray, np.ndarray], tf.Tensor]
_TEXTS_PER_SHARD = 4096  # the loss if a run is killed


def encode(
    encoder: InputEncoder | Int8Encoder,
    inputs: EncoderInputs,
    cache: VectorCache | None = None,
    forward: Forward | None = None,
) -> np.ndarray:
    """Return vectors of all texts, float32 [texts, hidden]; each distinct text is encoded once.

    With a cache, only texts that it lacks are encoded and then added to it, shard by shard. The vectors are equal to
    the last bit with and without a cache.

    Args:
        forward: from ids int32 and mask float32, both [texts, length], to vectors; by default `encoder.pooled`. Not
            to be combined with a cache, which holds the vectors of `encoder.pooled`.
    """
    texts, row = inputs.distinct()
    if cache is None:
        vectors = np.zeros((len(texts), encoder.width), np.float32)
        for rows, batch in _encode_batches(encoder, forward, texts):
            vectors[rows] = batch
        return vectors[row]
    keys = keys_of(texts)
    vectors, known = cache.load(keys, encoder.width)
    missing = np.flatnonzero(~known)
    log.info("encoding: %d of %d texts are in the vector cache", known.sum(), len(known))
    pending: list[np.ndarray] = []
    for rows, batch in _encode_batches(encoder, forward, texts.select(missing)):
        vectors[missing[rows]] = batch
        pending.append(missing[np.unique(rows)])  # the last batch of a length repeats its first row
        if sum(map(len, pending)) >= _TEXTS_PER_SHARD:
            _store(cache, keys, vectors, pending)
    _store(cache, keys, vectors, pending)
    return vectors[row]


def _store(cache: VectorCache, keys: pa.Array, vectors: np.ndarray, pending: list[np.ndarray]) -> None:
    """Add the pending rows to the cache and clear them."""
    if pending:
        rows = np.concatenate(pending)
        cache.add(keys.take(pa.array(rows)), vectors[rows])
        pending.clear()


def _encode_batches(
    encoder: InputEncoder | Int8Encoder, forward: Forward | None, texts: EncoderInputs
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode all texts; yield per batch the rows, int64 [batch], and their vectors, float32 [batch, hidden].

    Batches are in order of length over all texts, and only those in work are padded.
    """
    run = forward or encoder.pooled

    def vectors(batch: tuple[np.ndarray, int]) -> tuple[np.ndarray, np.ndarray]:
        rows, length = batch
        return rows, run(*texts.padded(rows, length)).numpy()

    if forward is None and isinstance(encoder, Int8Encoder) and len(texts):
        encoder.prepare()
        todo = list(batches(texts.lengths, TOKENS_A_BATCH))
        yield from prefetch(track(todo, "encoding", unit="batches"), vectors, encoder.threads)
    else:
        yield from map(vectors, track(list(batches(texts.lengths)), "encoding", unit="batches"))
