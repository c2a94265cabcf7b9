"""Where a step's text vectors come from: a table of frozen vectors, or the encoder's learning top layers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from interestrec.encoding.hidden_cache import HiddenStates, UpperLayers
from interestrec.model.backend import tf
from interestrec.model.encoder import Encoder
from interestrec.model.noise import Noise, branch
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.training.optimizer import WeightGroup

_GROUPS = 3  # of a step's texts by length, each padded to its own longest: near to no padding, few matrix products


class PreparedTexts(NamedTuple):
    """What `vectors` needs for some items, and which of how many texts are encoded for it."""

    arrays: tuple[np.ndarray, ...]
    encoded: np.ndarray  # int64 [encoded texts]
    texts: int  # distinct texts of the items


class TextVectorSource(Protocol):
    """Text vectors of items, with the weights behind them that learn."""

    @property
    def groups(self) -> list[WeightGroup]:
        """Weights that the training loop updates, with their peak rates."""

    @property
    def signature(self) -> tuple[tf.TensorSpec, ...]:
        """Shapes and types of the arrays that `prepare` gives."""

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """What `vectors` needs for the given distinct items, int32 [items], in the step that comes next."""

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """Vectors of the items, float32 [items, width], differentiable where weights learn; and those of the encoded
        texts, float32 [encoded texts, width]."""

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """Remember the vectors of the texts that a step encoded; it is over."""

    def current_vectors(self, items: np.ndarray) -> np.ndarray:
        """Vectors of the given items with the weights as they are now and without dropout: float32 [items, width]."""

    def state(self) -> list[np.ndarray]:
        """What is remembered, for a checkpoint."""

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """Remember what `state` gave."""


class FrozenTextVectors:
    """No layer of the encoder learns: vectors are looked up."""

    def __init__(self, table: np.ndarray) -> None:
        """`table` is float32 [items, width]."""
        self._table = table
        self.groups: list[WeightGroup] = []
        self.signature = (tf.TensorSpec([None, table.shape[1]], tf.float32),)

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """See Texts."""
        return PreparedTexts((self._table[items],), np.zeros(0, np.int64), len(items))

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """See Texts."""
        return inputs[0], inputs[0][:0]

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """See Texts."""

    def current_vectors(self, items: np.ndarray) -> np.ndarray:
        """See Texts."""
        return self._table[items]

    def state(self) -> list[np.ndarray]:
        """See Texts."""
        return []

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """See Texts."""


class LearningTextVectors:
    """The layers above some learn; the output of those below was computed once for every distinct text."""

    def __init__(
        self,
        encoder: Encoder,
        layers: int,
        hidden: HiddenStates,
        text_of_item: np.ndarray,
        groups: list[WeightGroup],
        reuse: VectorCacheSettings,
    ) -> None:
        """`hidden` is the output of the first `layers` layers, `text_of_item` int64 [items] its row of each item."""
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
            tf.TensorSpec([None, width], tf.float32),  # remembered vectors of the texts, zeros at what is encoded
            tf.TensorSpec([None, 1], tf.int32),  # places of the encoded texts among them
            tf.TensorSpec([None], tf.int32),  # text of each item among them
        )
        count = len(hidden) if reuse.enabled else 0
        self._vectors = self.upper.vectors(np.arange(count))
        self._encoded_in_step = np.zeros(count, np.int64)
        self._step = 0

    def prepare(self, items: np.ndarray, rng: np.random.Generator) -> PreparedTexts:
        """See Texts."""
        texts, index = np.unique(self.text_of_item[items], return_inverse=True)
        places = np.flatnonzero(self._select_for_encoding(texts, rng))
        places = places[np.argsort(self.hidden.lengths[texts[places]], kind="stable")]
        arrays: list[np.ndarray] = []
        for part in np.array_split(texts[places], _GROUPS):
            arrays.extend(self.hidden.padded(part, int(self.hidden.lengths[part].max(initial=1))))
        remembered = np.zeros((len(texts), self.encoder.width), np.float32)
        if self.reuse.enabled:
            remembered = self._vectors[texts]
        arrays += [remembered, places[:, None].astype(np.int32), index.astype(np.int32)]
        return PreparedTexts(tuple(arrays), texts[places], len(texts))

    def _select_for_encoding(self, texts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """bool [texts]: which of the texts this step encodes."""
        if not self.reuse.enabled:
            return np.ones(len(texts), bool)
        old = self._step - self._encoded_in_step[texts] > self.reuse.max_age
        chosen = old | (rng.random(len(texts)) >= self.reuse.probability)
        if self.reuse.max_tokens is not None:
            order = rng.permutation(np.flatnonzero(chosen))
            beyond = np.cumsum(self.hidden.lengths[texts[order]]) > self.reuse.max_tokens
            beyond[:1] = False  # a text longer than that learns as well, and a step never learns nothing
            chosen[order[beyond]] = False
        return chosen

    def vectors(self, *inputs: tf.Tensor, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """See Texts."""
        *states, remembered, places, index = inputs
        parts = []
        for number in range(_GROUPS):
            hidden, mask = states[2 * number : 2 * number + 2]
            parts.append(self.encoder.pool(self.encoder.upper(hidden, mask, self.layers, branch(noise, number)), mask))
        encoded = tf.concat(parts, axis=0)
        return tf.gather(tf.tensor_scatter_nd_update(remembered, places, encoded), index), encoded

    def keep(self, prepared: Sequence[PreparedTexts], vectors: Sequence[np.ndarray]) -> None:
        """See Texts."""
        if self.reuse.enabled:
            for one, found in zip(prepared, vectors, strict=True):
                self._vectors[one.encoded] = found
                self._encoded_in_step[one.encoded] = self._step  # of the weights before the step
        self._step += 1

    def current_vectors(self, items: np.ndarray) -> np.ndarray:
        """See Texts."""
        texts, index = np.unique(self.text_of_item[items], return_inverse=True)
        found = self.upper.vectors(texts)
        if self.reuse.enabled:
            self._vectors[texts] = found
            self._encoded_in_step[texts] = self._step
        return found[index]

    def state(self) -> list[np.ndarray]:
        """See Texts."""
        return [np.array(self._step), self._vectors, self._encoded_in_step]

    def restore(self, state: Sequence[np.ndarray]) -> None:
        """See Texts."""
        step, vectors, encoded_at = state
        self._step, self._vectors, self._encoded_in_step = int(step), np.array(vectors), np.array(encoded_at)
