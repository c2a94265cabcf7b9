"""Running the encoder over all texts: each distinct text once, or not at all where its vector is known."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from interestrec.core.progress import log, track
from interestrec.encoding.vector_cache import VectorCache, keys_of
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder, EncoderInputs
from interestrec.text.text_inputs import batches

Forward = Callable[[np.ndarray, np.ndarray], tf.Tensor]
_TEXTS_PER_SHARD = 4096  # a killed run loses at most so many


def encode(
    encoder: Encoder, inputs: EncoderInputs, cache: VectorCache | None = None, forward: Forward | None = None
) -> np.ndarray:
    """Vectors of all texts, each distinct text encoded once: float32 [texts, hidden].

    With a cache only texts that it does not know are encoded, and the cache gets them as the work goes on; the
    vectors are the same to the last bit.

    Args:
        forward: from ids int32 and mask float32, both [texts, length], to vectors; by default the encoder's own. Not
            with a cache, which holds the encoder's own.
    """
    forward = forward or encoder.pooled
    texts, row = inputs.distinct()
    if cache is None:
        vectors = np.zeros((len(texts), encoder.width), np.float32)
        for rows, found in _encode_batches(forward, texts):
            vectors[rows] = found
        return vectors[row]
    keys = keys_of(texts)
    vectors, known = cache.load(keys, encoder.width)
    missing = np.flatnonzero(~known)
    log.info("encoding: %d of %d texts are in the vector cache", known.sum(), len(known))
    pending: list[np.ndarray] = []
    for rows, found in _encode_batches(forward, texts.select(missing)):
        vectors[missing[rows]] = found
        pending.append(missing[np.unique(rows)])  # the last batch of a length repeats its first row
        if sum(map(len, pending)) >= _TEXTS_PER_SHARD:
            _store(cache, keys, vectors, pending)
    _store(cache, keys, vectors, pending)
    return vectors[row]


def _store(cache: VectorCache, keys: pa.Array, vectors: np.ndarray, pending: list[np.ndarray]) -> None:
    """Move the pending rows to the cache."""
    if pending:
        rows = np.concatenate(pending)
        cache.add(keys.take(pa.array(rows)), vectors[rows])
        pending.clear()


def _encode_batches(forward: Forward, texts: EncoderInputs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of rows int64 [batch] and their vectors float32 [batch, hidden] until every text had its turn."""
    for rows, length in track(list(batches(texts.lengths)), "encoding", unit="batches"):
        yield rows, forward(*texts.padded(rows, length)).numpy()
