"""The next-item model: a causal transformer over item histories whose outputs are compared with item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.model.backend import keras, tf
from interestrec.model.bert_layer import layer_norm
from interestrec.model.causal_blocks import BLOCK_EPSILON
from interestrec.model.noise import Noise, branch, dropout

_MASKED = -1e9  # added to the attention scores of later entries
_START_DEVIATION = 0.02  # of the initial weights


@dataclass(frozen=True)
class NextItemConfig:
    """The sizes that determine the weights."""

    items: int
    gaps: int  # buckets of the time since the entry before
    length: int  # maximum entries of a history
    width: int
    blocks: int
    heads: int
    dropout: float = 0.0


class CausalBlock(keras.layers.Layer):
    """x + A(LN(x)), then x + F(LN(x)): causal self-attention A and a feed-forward part F of four times the width.

    LayerNorm stands before each part ("pre-norm", Xiong et al. 2020), which trains without a long warm-up.
    """

    def __init__(self, config: NextItemConfig, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.seed = seed

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        width = self.config.width
        sizes = {
            "qkv": (width, 3 * width),
            "output": (width, width),
            "up": (width, 4 * width),
            "down": (4 * width, width),
        }
        for number, (name, shape) in enumerate(sizes.items()):
            start = keras.initializers.GlorotUniform(seed=self.seed + number)
            setattr(self, f"{name}_kernel", self.add_weight(name=f"{name}_kernel", shape=shape, initializer=start))
            bias = self.add_weight(name=f"{name}_bias", shape=shape[1:], initializer="zeros")
            setattr(self, f"{name}_bias", bias)
        for name in ("attention", "feed_forward"):
            setattr(self, f"{name}_gamma", self.add_weight(name=f"{name}_gamma", shape=(width,), initializer="ones"))
            setattr(self, f"{name}_beta", self.add_weight(name=f"{name}_beta", shape=(width,), initializer="zeros"))
        self.built = True

    def call(self, x: tf.Tensor, later: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Apply the block.

        Args:
            x: float32 [histories, length, width].
            later: float32 [length, length], 0 where the column is not later than the row, otherwise large and negative.

        Returns:
            float32, shape as x.
        """
        rate = self.config.dropout
        attended = self._dense(self._attention(self._norm(x, "attention"), later, branch(noise, 0)), "output")
        x += dropout(attended, rate, branch(noise, 1))
        inner = tf.nn.gelu(self._dense(self._norm(x, "feed_forward"), "up"), approximate=True)
        return x + dropout(self._dense(inner, "down"), rate, branch(noise, 2))

    def _attention(self, x: tf.Tensor, later: tf.Tensor, noise: Noise) -> tf.Tensor:
        histories, length = tf.shape(x)[0], tf.shape(x)[1]
        heads, size = self.config.heads, self.config.width // self.config.heads
        qkv = tf.reshape(self._dense(x, "qkv"), [histories, length, 3, heads, size])
        query, key, value = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))  # each [histories, heads, length, size]
        share = tf.nn.softmax(tf.matmul(query * (size**-0.5), key, transpose_b=True) + later)
        context = tf.matmul(dropout(share, self.config.dropout, noise), value)
        return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [histories, length, heads * size])

    def _dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        kernel = tf.convert_to_tensor(getattr(self, f"{name}_kernel"))
        y = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), kernel) + getattr(self, f"{name}_bias")
        return tf.reshape(y, [tf.shape(x)[0], tf.shape(x)[1], kernel.shape[1]])

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        return layer_norm(x, getattr(self, f"{name}_gamma"), getattr(self, f"{name}_beta"), BLOCK_EPSILON)


class NextItem(keras.layers.Layer):
    """A causal transformer over the steps of a history, after SASRec (Kang and McAuley 2018).

    A step is a set of items with equal times, such as the lines of an invoice. Its input is the mean of the items'
    vectors, plus embeddings of its position and of the time since the step before. Histories are padded at the end,
    where causal attention hides the padding from all steps.
    """

    def __init__(self, config: NextItemConfig, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.seed = seed
        self.blocks = [
            CausalBlock(config, seed + 10 * (number + 1), name=f"block_{number}") for number in range(config.blocks)
        ]
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create all weights."""
        config = self.config
        rows = {"items": config.items, "positions": config.length, "gaps": config.gaps}
        for number, (name, count) in enumerate(rows.items()):
            start = keras.initializers.TruncatedNormal(stddev=_START_DEVIATION, seed=self.seed + number)
            setattr(self, name, self.add_weight(name=name, shape=(count, config.width), initializer=start))
        for block in self.blocks:
            block.build()
        self.gamma = self.add_weight(name="gamma", shape=(config.width,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(config.width,), initializer="zeros")
        self.built = True

    def call(self, items: tf.Tensor, step: tf.Tensor, gaps: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return what is expected after each step, float32 [histories, length, width].

        Args:
            items: int32 [entries], the items of all steps.
            step: int32 [entries], ascending: the step of each entry, `history * length + position`.
            gaps: int32 [histories, length], buckets of the time since the step before.
        """
        histories, length = tf.shape(gaps)[0], tf.shape(gaps)[1]
        steps = histories * length
        size = tf.math.unsorted_segment_sum(tf.ones_like(step, tf.float32), step, steps)
        total = tf.math.unsorted_segment_sum(self.item_vectors(items), step, steps)
        mean = total / tf.maximum(size, 1.0)[:, None]
        x = tf.reshape(mean, [histories, length, self.config.width])
        x += self.positions[:length] + tf.gather(1.0 * self.gaps, gaps)
        x = dropout(x, self.config.dropout, branch(noise, len(self.blocks)))
        later = (1.0 - tf.linalg.band_part(tf.ones([length, length]), -1, 0)) * _MASKED
        for number, block in enumerate(self.blocks):
            x = block(x, later, branch(noise, number))
        return layer_norm(x, self.gamma, self.beta, BLOCK_EPSILON)

    def export_weights(self) -> dict[str, np.ndarray]:
        """Return all weights by name, float32."""
        return {name: weight.numpy() for name, weight in self._named_weights().items()}

    def assign_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set all weights to the result of `export_weights`."""
        for name, weight in self._named_weights().items():
            weight.assign(weights[name])

    def _named_weights(self) -> dict[str, keras.Variable]:
        own = {name: getattr(self, name) for name in ("items", "positions", "gaps", "gamma", "beta")}
        return own | {f"{block.name}.{weight.name}": weight for block in self.blocks for weight in block.weights}

    def item_vectors(self, items: tf.Tensor) -> tf.Tensor:
        """Return the vectors of items, float32 [..., width]; inputs and outputs share them.

        The product makes the gradient a dense tensor, as in `item_tower`.
        """
        return tf.gather(1.0 * self.items, items)
