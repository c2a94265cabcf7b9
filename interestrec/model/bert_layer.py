"""A transformer block of a BERT-family encoder.

Activations are [tokens, hidden] matrices except for the attention scores; query, key and value are one matrix
product; there is no einsum.
"""

from typing import Any

import numpy as np

from interestrec.model.backend import keras, tf
from interestrec.model.bert_config import BertConfig
from interestrec.model.encoder import LoraAdapter
from interestrec.model.noise import Noise, branch, dropout

MATRICES = ("qkv", "output", "up", "down")  # weight matrices of a block


class BertLayer(keras.layers.Layer):
    """One transformer block: self-attention and a feed-forward part, each with a residual and LayerNorm."""

    def __init__(self, config: BertConfig, rate: float, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # autocast would convert inputs to float32
        self.config = config
        self.rate = rate  # dropout rate
        self.lora: LoraAdapter | None = None

    def build(self, input_shape: Any) -> None:
        """Create the block's weights."""
        hidden = self.config.hidden_size
        normal = keras.initializers.TruncatedNormal(stddev=self.config.initializer_range, seed=0)
        for name, shape in self._shapes().items():
            setattr(self, f"{name}_kernel", self.add_weight(name=f"{name}_kernel", shape=shape, initializer=normal))
            bias = self.add_weight(name=f"{name}_bias", shape=shape[1:], initializer="zeros")
            setattr(self, f"{name}_bias", bias)
        for name in ("attention", "feed_forward"):
            setattr(self, f"{name}_gamma", self.add_weight(name=f"{name}_gamma", shape=(hidden,), initializer="ones"))
            setattr(self, f"{name}_beta", self.add_weight(name=f"{name}_beta", shape=(hidden,), initializer="zeros"))

    def _shapes(self) -> dict[str, tuple[int, int]]:
        hidden, inner = self.config.hidden_size, self.config.intermediate_size
        shapes = [(hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden)]
        return dict(zip(MATRICES, shapes, strict=True))

    def adapt(self, lora: LoraAdapter, seed: int) -> list[keras.Variable]:
        """Create adapters without initial effect (B = 0) and return their weights."""
        self.lora = lora
        weights = []
        self._tracker.unlock()  # a built layer accepts no new weights otherwise; Keras' own layers do the same for LoRA
        for number, name in enumerate(lora.targets):
            inputs, outputs = self._shapes()[name]
            normal = keras.initializers.RandomNormal(stddev=inputs**-0.5, seed=seed + number)
            first = self.add_weight(name=f"{name}_lora_a", shape=(inputs, lora.rank), initializer=normal)
            second = self.add_weight(name=f"{name}_lora_b", shape=(lora.rank, outputs), initializer="zeros")
            setattr(self, f"{name}_lora_a", first)
            setattr(self, f"{name}_lora_b", second)
            weights += [first, second]
        self._tracker.lock()
        return weights

    def merged_kernel(self, name: str) -> np.ndarray:
        """Return a kernel with its adapter added, float32 [inputs, outputs]."""
        kernel = getattr(self, f"{name}_kernel").numpy()
        if self.lora is None or name not in self.lora.targets:
            return kernel
        first, second = getattr(self, f"{name}_lora_a").numpy(), getattr(self, f"{name}_lora_b").numpy()
        return kernel + np.float32(self.lora.alpha / self.lora.rank) * (first @ second)

    def call(self, x: tf.Tensor, bias: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Apply the block.

        Args:
            x: [texts × length, hidden], in the precision of the matrix products.
            bias: float32 [texts, 1 or heads, 1 or length, length], added to the attention scores; a large negative
                number at padding, elsewhere 0 or the bias of relative positions.

        Returns:
            The block's output; shape and type as x.
        """
        attended = dropout(self._dense(self._attention(x, bias), "output"), self.rate, branch(noise, 0))
        x = self._norm(x + attended, "attention")
        inner = tf.nn.gelu(self._dense(x, "up"), approximate=self.config.approximate_gelu)
        return self._norm(x + dropout(self._dense(inner, "down"), self.rate, branch(noise, 1)), "feed_forward")

    def _attention(self, x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        texts, length = tf.shape(bias)[0], tf.shape(bias)[3]
        heads, size = self.config.num_attention_heads, self.config.head_size
        qkv = tf.reshape(self._dense(x, "qkv"), [texts, length, 3, heads, size])
        query, key, value = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))  # each [texts, heads, length, size]
        scores = tf.cast(tf.matmul(query * (size**-0.5), key, transpose_b=True), tf.float32) + bias
        share = tf.cast(tf.nn.softmax(scores), x.dtype)
        context = tf.transpose(tf.matmul(share, value), [0, 2, 1, 3])
        return tf.reshape(context, [-1, heads * size])

    def _dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        def weight(kind: str) -> tf.Tensor:
            return tf.cast(getattr(self, f"{name}_{kind}"), x.dtype)

        y = tf.nn.bias_add(tf.matmul(x, weight("kernel")), weight("bias"))
        if self.lora is None or name not in self.lora.targets:
            return y
        return y + tf.matmul(tf.matmul(x, weight("lora_a")), weight("lora_b")) * (self.lora.alpha / self.lora.rank)

    def _norm(self, x: tf.Tensor, name: str) -> tf.Tensor:
        gamma, beta = getattr(self, f"{name}_gamma"), getattr(self, f"{name}_beta")
        return tf.cast(layer_norm(tf.cast(x, tf.float32), gamma, beta, self.config.layer_norm_eps), x.dtype)


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Layer normalisation over the last axis (Ba et al. 2016)."""
    mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)
