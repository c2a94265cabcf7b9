"""The output of the encoder's frozen lower layers: computed once per text and stored on disk in float16.

A shard is an array of states and a table with the keys of its texts. The table is written last, so that no incomplete
shard is ever read. Arrays are memory-mapped: only the states that a step needs are read.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.core.progress import log, track
from interestrec.encoding.vector_cache import keys_of
from interestrec.io import commit, files, schemas
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder, EncoderInputs
from interestrec.text.text_inputs import batches

_TOKENS_PER_SHARD = 1 << 17
_STATES, _KEYS = ".npy", ".parquet"


@dataclass(frozen=True)
class HiddenStates:
    """Output of the lower layers for text n: `shards[shard[n]][start[n]:start[n] + lengths[n]]`."""

    lengths: np.ndarray  # int64 [texts]
    shard: np.ndarray  # int32 [texts]
    start: np.ndarray  # int64 [texts]
    shards: list[np.ndarray]  # each float16 [tokens, hidden]

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return hidden states float32 [rows, length, hidden] and mask float32 [rows, length] of texts."""
        source, inside = ragged.padded(self.start[rows], self.start[rows] + self.lengths[rows], length)
        shard = np.broadcast_to(self.shard[rows][:, None], inside.shape)
        states = np.zeros((*inside.shape, self.shards[0].shape[1]), np.float32)
        for number in np.unique(self.shard[rows]):
            selected = inside & (shard == number)
            states[selected] = self.shards[number][source[selected]]
        return states, inside.astype(np.float32)


@dataclass(frozen=True)
class HiddenCache:
    """Shards of one encoder's states below a directory, which need not exist yet."""

    directory: Path

    def shards(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Yield each shard's table of keys, starts and lengths and its states; delete damaged shards."""
        for path in sorted(self.directory.glob(f"*{_KEYS}")):
            try:
                yield self._open(path)
            except (ArtifactError, InputMissingError) as error:
                log.warning("damaged cache of hidden states ignored, its texts are encoded again: %s", error)
                path.unlink(missing_ok=True)
                path.with_suffix(_STATES).unlink(missing_ok=True)

    def _open(self, path: Path) -> tuple[pa.Table, np.ndarray]:
        table = files.read_parquet(path, schemas.HIDDEN_KEYS)
        states = path.with_suffix(_STATES)
        if not states.is_file() or files.sha256_of(states) != table["sha256"][0].as_py():
            raise ArtifactError(f"{states}: differs from what was written")
        return table, files.map_array(states)

    def add(self, keys: pa.Array, lengths: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Store the concatenated states of texts, float16 [tokens, hidden], and return them memory-mapped."""
        name = hashlib.sha256(b"".join(keys.to_pylist())).hexdigest()[:24]
        array = self.directory / f"{name}{_STATES}"
        with commit.staged_file(array) as partial:
            files.write_array(partial, states)
        digest, schema = pa.array([files.sha256_of(array)] * len(keys)), schemas.HIDDEN_KEYS
        columns = [keys, pa.array(ragged.from_lengths(lengths)[:-1]), pa.array(lengths), digest]
        with commit.staged_file(array.with_suffix(_KEYS)) as partial:
            files.write_parquet(partial, pa.table(columns, names=schema.names), schema)
        return files.map_array(array)


def encode_lower(encoder: Encoder, texts: EncoderInputs, layers: int, cache: HiddenCache | None = None) -> HiddenStates:
    """Return the output of the first `layers` layers for all tokens of distinct texts.

    With a cache, only texts that it lacks are encoded, and memory is bounded by one shard.
    """
    hidden = HiddenStates(texts.lengths, np.full(len(texts), -1, np.int32), np.zeros(len(texts), np.int64), [])
    keys = keys_of(texts)
    for table, states in cache.shards() if cache else ():
        place = pc.index_in(keys, table["key"].combine_chunks()).fill_null(-1).to_numpy()
        cached = (place >= 0) & (hidden.shard < 0)
        hidden.shard[cached] = len(hidden.shards)
        hidden.start[cached] = table["start"].to_numpy()[place[cached]]
        hidden.shards.append(states)
    missing = np.flatnonzero(hidden.shard < 0)
    if cache:
        log.info("encoding frozen layers: %d of %d texts are in the cache", len(texts) - len(missing), len(texts))
    for rows, states in _shards(encoder, texts.select(missing), layers):
        lengths = texts.lengths[missing[rows]]
        hidden.shard[missing[rows]] = len(hidden.shards)
        hidden.start[missing[rows]] = ragged.from_lengths(lengths)[:-1]
        hidden.shards.append(cache.add(keys.take(pa.array(missing[rows])), lengths, states) if cache else states)
    return hidden


def _shards(encoder: Encoder, texts: EncoderInputs, layers: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Encode all texts; yield per shard the rows, int64, and their concatenated states, float16 [tokens, hidden]."""
    rows: list[np.ndarray] = []
    states: list[np.ndarray] = []
    forward = tf.function(
        lambda ids, mask: encoder.lower(ids, mask, layers), input_signature=encoder.signature, autograph=False
    )
    for batch, length in track(list(batches(texts.lengths)), "encoding frozen layers", unit="batches"):
        ids, mask = texts.padded(batch, length)
        count = len(np.unique(batch))  # the last batch of a length repeats its first row
        hidden = forward(ids, mask).numpy()[:count]
        rows.append(batch[:count])
        states.append(hidden[mask[:count] > 0].astype(np.float16))
        if sum(map(len, states)) >= _TOKENS_PER_SHARD:
            yield np.concatenate(rows), np.concatenate(states)
            rows, states = [], []
    if rows:
        yield np.concatenate(rows), np.concatenate(states)


def training_forward(encoder: Encoder, learned: int) -> Callable[[np.ndarray, np.ndarray], tf.Tensor] | None:
    """Return a function from ids and mask to text vectors as in training, with the lower layers' output in float16.

    `learned` is the number of top layers that were trained. None if neither they nor the pooling were trained."""
    if not learned and not encoder.learns_pooling:
        return None
    layers = encoder.depth - learned

    def forward(ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        states = tf.cast(tf.cast(encoder.lower(ids, mask, layers), tf.float16), tf.float32)
        return encoder.pool(encoder.upper(states, mask, layers), mask)

    return tf.function(forward, input_signature=encoder.signature, autograph=False)


class UpperLayers:
    """The layers above the frozen ones with their current weights, without dropout."""

    def __init__(self, encoder: Encoder, hidden: HiddenStates, layers: int) -> None:
        """`hidden` is the output of the first `layers` layers."""
        self.hidden = hidden
        self.width = encoder.width
        states = [tf.TensorSpec([None, None, self.width]), tf.TensorSpec([None, None])]
        self._forward = tf.function(
            lambda states, mask: encoder.pool(encoder.upper(states, mask, layers), mask),
            input_signature=states,
            autograph=False,
        )

    def vectors(self, texts: np.ndarray) -> np.ndarray:
        """Return vectors of texts, float32 [texts, width]."""
        vectors = np.zeros((len(texts), self.width), np.float32)
        # The padded length is that of the bucket rather than of its longest text, so that additional texts do not
        # change a bit of the other vectors.
        for rows, length in batches(self.hidden.lengths[texts]):
            vectors[rows] = self._forward(*self.hidden.padded(texts[rows], length)).numpy()
        return vectors
