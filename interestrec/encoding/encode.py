"""Running the encoder over all texts: pooled vectors, or the output of its frozen lower layers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import tensorflow as tf

from interestrec.core.progress import log, track
from interestrec.encoding.cache import VectorCache, keys_of
from interestrec.encoding.inputs import TextInputs, batches
from interestrec.model.bert import Bert, mean_pool

_TEXTS_A_SHARD = 4096  # a killed run loses at most so many


@dataclass(frozen=True)
class HiddenStates:
    """Output of the lower layers for text n: `values[offsets[n]:offsets[n + 1]]`."""

    offsets: np.ndarray  # int64 [texts + 1]
    values: np.ndarray  # float32 [tokens, hidden]

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Hidden states float32 [rows, length, hidden] and mask float32 [rows, length] of the given texts."""
        lengths = np.diff(self.offsets)[rows]
        position = np.arange(length)
        inside = position < lengths[:, None]
        source = np.where(inside, self.offsets[:-1][rows][:, None] + position, 0)
        mask = inside.astype(np.float32)
        return self.values[source] * mask[:, :, None], mask


def encode(bert: Bert, inputs: TextInputs, cache: VectorCache | None = None) -> np.ndarray:
    """Mean-pooled vectors of all texts, each distinct text encoded once: float32 [texts, hidden].

    With a cache only texts that it does not know are encoded, and the cache gets them as the work goes on; the
    vectors are the same to the last bit.
    """
    texts, row = inputs.distinct()
    if cache is None:
        vectors = np.zeros((len(texts), bert.config.hidden_size), np.float32)
        for rows, found in _encoded(bert, texts):
            vectors[rows] = found
        return vectors[row]
    keys = keys_of(texts)
    vectors, known = cache.load(keys, bert.config.hidden_size)
    missing = np.flatnonzero(~known)
    log.info("encoding: %d of %d texts are in the vector cache", known.sum(), len(known))
    pending: list[np.ndarray] = []
    for rows, found in _encoded(bert, texts.select(missing)):
        vectors[missing[rows]] = found
        pending.append(missing[np.unique(rows)])  # the last batch of a length repeats its first row
        if sum(map(len, pending)) >= _TEXTS_A_SHARD:
            _store(cache, keys, vectors, pending)
    _store(cache, keys, vectors, pending)
    return vectors[row]


def _store(cache: VectorCache, keys: pa.Array, vectors: np.ndarray, pending: list[np.ndarray]) -> None:
    """Move the pending rows to the cache."""
    if pending:
        rows = np.concatenate(pending)
        cache.add(keys.take(pa.array(rows)), vectors[rows])
        pending.clear()


def _encoded(bert: Bert, texts: TextInputs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of rows int64 [batch] and their vectors float32 [batch, hidden] until every text had its turn."""
    for rows, length in track(list(batches(texts.lengths)), "encoding", unit="batches"):
        yield rows, bert.pooled(*texts.padded(rows, length)).numpy()


def encode_lower(bert: Bert, inputs: TextInputs, layers: int) -> HiddenStates:
    """Output of the first `layers` layers for all tokens of all texts."""
    values = np.zeros((len(inputs.tokens), bert.config.hidden_size), np.float32)

    @tf.function(input_signature=_signature())
    def forward(ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return bert.lower(ids, mask, layers)

    for rows, length in track(list(batches(inputs.lengths)), "encoding frozen layers", unit="batches"):
        ids, mask = inputs.padded(rows, length)
        hidden = forward(ids, mask).numpy()
        target = inputs.offsets[:-1][rows][:, None] + np.arange(length)
        values[target[mask > 0]] = hidden[mask > 0]
    return HiddenStates(inputs.offsets, values)


def encode_upper(bert: Bert, hidden: HiddenStates, layers: int) -> np.ndarray:
    """Mean-pooled vectors from the output of the first `layers` layers: float32 [texts, hidden]."""
    vectors = np.zeros((len(hidden.offsets) - 1, bert.config.hidden_size), np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None, bert.config.hidden_size]), tf.TensorSpec([None, None])])
    def forward(states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return mean_pool(bert.upper(states, mask, layers), mask)

    # The length is the bucket's, not the longest text's: a text added at the end must not move a bit of those before.
    for rows, length in batches(np.diff(hidden.offsets)):
        vectors[rows] = forward(*hidden.padded(rows, length)).numpy()
    return vectors


def _signature() -> list[tf.TensorSpec]:
    return [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32)]
