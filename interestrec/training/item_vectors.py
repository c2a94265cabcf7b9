"""Sources of the encoders' vectors: a table of frozen ones, the trainable top layers of an encoder, or both."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from interestrec.encoding.hidden_cache import HiddenStates, UpperLayers
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder
from interestrec.model.noise import Noise, branch
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.training.optimizer import WeightGroup

_GROUPS = 3  # of a step's texts by length, each padded separately: little padding, few matrix products


class PreparedTexts(NamedTuple):
    """The inputs of `vectors` for items, and the texts that it encodes."""

    arrays: tuple[np.ndarray, ...]
    encoded: np.ndarray  # int64 [encoded texts], rows of the texts
    texts: int  # number of distinct texts of the items


class TextVectorSource(Protocol):
    """Text vectors of items and the trainable weights behind them."""

    @property
    def groups(self) -> list[WeightGroup]:
        """Trainable weights with their peak rates."""

    @property
    def signature(self) -> tuple[tf.TensorSpec, ...]:
        """Shapes and types of the arrays of PreparedTexts."""

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """Return the inputs of `vectors` in the next step for distinct items, int32 [items]."""

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the items' vectors, float32 [items, width], differentiable by trainable weights, and those of the
        encoded texts, float32 [encoded texts, width]."""

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """End a step: store the vectors of the texts that it encoded."""

    def current_vectors(self, items: np.ndarray | slice) -> np.ndarray:
        """Return vectors of items by the current weights without dropout, float32 [items, width].

        A slice of a frozen table is a view of it.
        """

    def state(self) -> list[np.ndarray]:
        """Return the stored vectors for a checkpoint."""

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Restore the output of `state`."""


class FrozenTextVectors:
    """Vectors of a frozen encoder, from a table."""

    def __init__(self, table: np.ndarray) -> None:
        """`table` is float32 [items, width]."""
        self._table = table
        self.groups: list[WeightGroup] = []
        self.signature = (tf.TensorSpec([None, table.shape[1]], tf.float32),)

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """See TextVectorSource."""
        rows = self._table[items].astype(np.float32, copy=False)
        return PreparedTexts((rows,), np.zeros(0, np.int64), len(items))

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """See TextVectorSource."""
        return inputs[0], inputs[0][:0]

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""

    def current_vectors(self, items: np.ndarray | slice) -> np.ndarray:
        """See TextVectorSource."""
        return self._table[items]

    def state(self) -> list[np.ndarray]:
        """See TextVectorSource."""
        return []

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""


class LearningTextVectors:
    """Vectors of an encoder with trainable top layers; the output of the frozen layers is computed once per text."""

    def __init__(
        self,
        encoder: Encoder,
        layers: int,
        hidden: HiddenStates,
        text_of_item: np.ndarray,
        groups: list[WeightGroup],
        reuse: VectorCacheSettings,
    ) -> None:
        """`hidden` is the output of the first `layers` layers; `text_of_item`, int64 [items], are its rows by item."""
        self.encoder = encoder
        self.layers = layers
        self.hidden = hidden
        self.text_of_item = text_of_item
        self.groups = groups
        self.reuse = reuse
        self.upper = UpperLayers(encoder, hidden, layers)
        width = encoder.width
        states = [tf.TensorSpec([None, None, width], tf.float32), tf.TensorSpec([None, None], tf.float32)]
        self.signature = (
            *states * _GROUPS,
            tf.TensorSpec([None, width], tf.float32),  # stored vectors of the texts, or zeros
            tf.TensorSpec([None, 1], tf.int32),  # positions of the encoded texts among them
            tf.TensorSpec([None], tf.int32),  # text of each item among them
        )
        count = len(hidden) if reuse.enabled else 0
        self._vectors = self.upper.vectors(np.arange(count))
        self._encoded_in_step = np.zeros(count, np.int64)
        self._step = 0

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """See TextVectorSource."""
        texts, index = np.unique(self.text_of_item[items], return_inverse=True)
        places = np.flatnonzero(self._select_for_encoding(texts, rng))
        places = places[np.argsort(self.hidden.lengths[texts[places]], kind="stable")]
        arrays: list[np.ndarray] = []
        for part in np.array_split(texts[places], _GROUPS):
            arrays.extend(self.hidden.padded(part, int(self.hidden.lengths[part].max(initial=1))))
        stored = np.zeros((len(texts), self.encoder.width), np.float32)
        if self.reuse.enabled:
            stored = self._vectors[texts]
        arrays += [stored, places[:, None].astype(np.int32), index.astype(np.int32)]
        return PreparedTexts(tuple(arrays), texts[places], len(texts))

    def _select_for_encoding(self, texts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Choose the texts that this step encodes: bool [texts]."""
        if not self.reuse.enabled:
            return np.ones(len(texts), bool)
        old = self._step - self._encoded_in_step[texts] > self.reuse.max_age
        selected = old | (rng.random(len(texts)) >= self.reuse.probability)
        if self.reuse.max_tokens is not None:
            order = rng.permutation(np.flatnonzero(selected))
            over_limit = np.cumsum(self.hidden.lengths[texts[order]]) > self.reuse.max_tokens
            over_limit[:1] = False  # every step encodes at least one text, however long
            selected[order[over_limit]] = False
        return selected

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """See TextVectorSource."""
        *states, stored, places, index = inputs
        parts = []
        for number in range(_GROUPS):
            hidden, mask = states[2 * number : 2 * number + 2]
            parts.append(self.encoder.pool(self.encoder.upper(hidden, mask, self.layers, branch(noise, number)), mask))
        encoded = tf.concat(parts, axis=0)
        return tf.gather(tf.tensor_scatter_nd_update(stored, places, encoded), index), encoded

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""
        if self.reuse.enabled:
            for texts, encoded in zip(prepared, vectors, strict=True):
                self._vectors[texts.encoded] = encoded
                self._encoded_in_step[texts.encoded] = self._step  # by the weights before the step
        self._step += 1

    def current_vectors(self, items: np.ndarray | slice) -> np.ndarray:
        """See TextVectorSource."""
        texts, index = np.unique(self.text_of_item[items], return_inverse=True)
        vectors = self.upper.vectors(texts)
        if self.reuse.enabled:
            self._vectors[texts] = vectors
            self._encoded_in_step[texts] = self._step
        return vectors[index]

    def state(self) -> list[np.ndarray]:
        """See TextVectorSource."""
        return [np.array(self._step), self._vectors, self._encoded_in_step]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""
        step, vectors, encoded_in_step = state
        self._step, self._vectors, self._encoded_in_step = int(step), np.array(vectors), np.array(encoded_in_step)


class TextsBesideFrozenVectors:
    """Vectors of learning texts, and beside each the frozen vectors of the item's other modalities."""

    def __init__(self, texts: TextVectorSource, table: np.ndarray) -> None:
        """`table` is float32 [items, width], of the other modalities."""
        self._texts = texts
        self._table = table
        self.groups = texts.groups
        self.signature = (*texts.signature, tf.TensorSpec([None, table.shape[1]], tf.float32))

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """See TextVectorSource."""
        prepared = self._texts.prepare(items, rng)
        return prepared._replace(arrays=(*prepared.arrays, self._table[items]))

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """See TextVectorSource."""
        *texts, others = inputs
        vectors, encoded = self._texts.vectors(*texts, noise=noise)
        return tf.concat([vectors, others], axis=1), encoded

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""
        self._texts.keep(prepared, vectors)

    def current_vectors(self, items: np.ndarray | slice) -> np.ndarray:
        """See TextVectorSource."""
        return np.concatenate([self._texts.current_vectors(items), self._table[items]], axis=1)

    def state(self) -> list[np.ndarray]:
        """See TextVectorSource."""
        return self._texts.state()

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """See TextVectorSource."""
        self._texts.restore(state)
