"""BERT-family encoders (Devlin et al. 2019) for checkpoints in Hugging Face layout, written for speed.

Activations are [tokens, hidden] matrices except for the attention scores; query, key and value are one matrix
product; there is no einsum. The layers can be run in two parts, so that the output of a frozen prefix is computed
once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, require_encoder
from interestrec.model.backend import keras, tf
from interestrec.model.encoder import LoraAdapter
from interestrec.model.families import FAMILIES, EncoderFamily, read_sizes
from interestrec.model.noise import Noise, branch, dropout
from interestrec.model.pooling import POOLINGS
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from interestrec.model.masked_lm import MaskedLmHead

MATRICES = ("qkv", "output", "up", "down")  # weight matrices of a block
PRECISIONS = ("float32", "bfloat16", "float16")  # of matrix products; weights and sums stay float32
_MASKED = -1e9  # added to the attention scores of padding
_SIGNATURE = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32))  # ids, mask


@dataclass(frozen=True)
class BertConfig:
    """The sizes that determine the tensor shapes of a checkpoint."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int  # 0 if the family has no segment embeddings
    layer_norm_eps: float
    initializer_range: float
    model_type: str = "bert"
    first_position: int = 0  # row of the first token among the position embeddings

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_length(self) -> int:
        """Maximum number of tokens of a text, special tokens included."""
        return self.max_position_embeddings - self.first_position

    @property
    def family(self) -> EncoderFamily:
        """Tensor and key names of this model type."""
        return FAMILIES[self.model_type]


def read_config(directory: Path) -> BertConfig:
    """Read and check `config.json` of an encoder's directory.

    Raises:
        InputMissingError: the directory or file is missing.
        ArtifactError: the file does not describe an encoder that this release can run.
    """
    require_encoder(directory)
    path = directory / CONFIG
    return BertConfig(**read_sizes(files.read_json(path), path))


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
            bias: float32 [texts, 1, 1, length], 0 at tokens and a large negative number at padding.

        Returns:
            The block's output; shape and type as x.
        """
        attended = dropout(self._dense(self._attention(x, bias), "output"), self.rate, branch(noise, 0))
        x = self._norm(x + attended, "attention")
        inner = tf.nn.gelu(self._dense(x, "up"), approximate=False)
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


class Bert(keras.layers.Layer):
    """An Encoder of embeddings and blocks."""

    signature = _SIGNATURE

    def __init__(
        self,
        config: BertConfig,
        rate: float = 0.1,
        pooling: str = "mean",
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        """`rate` is the dropout rate; `pooling` is a key of POOLINGS, `precision` one of PRECISIONS."""
        super().__init__(**kwargs)
        self.config = config
        self.rate = rate
        self.pooling = pooling
        self.precision = precision
        self.blocks = [BertLayer(config, rate, name=f"layer_{n}") for n in range(config.num_hidden_layers)]

    def build(self, input_shape: Any = None) -> None:
        """Create all weights."""
        normal = keras.initializers.TruncatedNormal(stddev=self.config.initializer_range, seed=0)
        rows = {
            "words": self.config.vocab_size,
            "positions": self.config.max_position_embeddings,
        }
        if self.config.type_vocab_size:
            rows["segments"] = self.config.type_vocab_size
        for name, count in rows.items():
            shape = (count, self.config.hidden_size)
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=normal))
        self.gamma = self.add_weight(name="gamma", shape=(self.config.hidden_size,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(self.config.hidden_size,), initializer="zeros")
        self.query = None
        if POOLINGS[self.pooling].learns_query:
            self.query = self.add_weight(name="query", shape=(self.config.hidden_size,), initializer="zeros")
        for block in self.blocks:
            block.build(None)
        self.built = True

    @property
    def width(self) -> int:
        """See Encoder."""
        return self.config.hidden_size

    @property
    def depth(self) -> int:
        """See Encoder."""
        return self.config.num_hidden_layers

    @property
    def max_length(self) -> int:
        """See Encoder."""
        return self.config.max_length

    @property
    def learns_pooling(self) -> bool:
        """See Encoder."""
        return self.query is not None

    def item_inputs(self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]]) -> TextInputs:
        """See Encoder."""
        tokenizer = load_tokenizer(directory)
        return text_inputs(features, fields, tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, self.max_length)

    def masked_lm_head(self) -> "MaskedLmHead":
        """See Encoder."""
        from interestrec.model.masked_lm import MaskedLmHead  # it imports this module

        return MaskedLmHead(self)

    def unfreeze(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """See Encoder."""
        blocks = self.blocks[len(self.blocks) - layers :]
        count = len(lora.targets) if lora else 0
        weights = [
            block.adapt(lora, seed + count * number) if lora else list(block.trainable_variables)
            for number, block in enumerate(blocks)
        ]
        return weights if self.query is None else [*weights, [self.query]]

    def export_weights(self) -> dict[str, np.ndarray]:
        """See Encoder."""
        from interestrec.model.encoder_checkpoint import export

        return export(self)

    def export_learned(self, layers: int) -> dict[str, np.ndarray]:
        """See Encoder; tensors have Hugging Face names."""
        from interestrec.model.encoder_checkpoint import export_learned

        return export_learned(self, layers)

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """See Encoder."""
        from interestrec.model.encoder_checkpoint import assign_learned

        return assign_learned(self, tensors)

    def call(self, ids: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Run all layers: hidden states, float32 [texts, length, hidden]; arguments as in `lower`."""
        return self.lower(ids, mask, self.config.num_hidden_layers, noise)

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return vectors of texts, float32 [texts, hidden], from the output of `call`."""
        return POOLINGS[self.pooling].vectors(hidden, mask, self.query)

    @tf.function(input_signature=_SIGNATURE)
    def pooled(self, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return vectors of texts, float32 [texts, hidden], from the inputs of `call`; one graph serves all shapes."""
        return self.pool(self.call(ids, mask), mask)

    def lower(self, ids: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Run the embeddings and the first `layers` blocks.

        Args:
            ids: int32 [texts, length].
            mask: float32 [texts, length], 1 at tokens and 0 at padding.

        Returns:
            float32 [texts, length, hidden].
        """
        x = tf.gather(self.words, ids) + self._position_embeddings(tf.shape(ids)[1])
        if self.config.type_vocab_size:
            x += self.segments[0]
        x = layer_norm(tf.reshape(x, [-1, self.config.hidden_size]), self.gamma, self.beta, self.config.layer_norm_eps)
        x = dropout(x, self.rate, branch(noise, len(self.blocks)))
        return self._run(range(layers), x, mask, noise)

    def _position_embeddings(self, length: tf.Tensor) -> tf.Tensor:
        """Position embeddings float32 [1, length, hidden]; zeros at positions that only padding reaches."""
        first = self.config.first_position
        known = self.positions[first : first + length]
        return tf.pad(known, [[0, length - tf.shape(known)[0]], [0, 0]])[None]

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Run the blocks above the first `layers` on their output; shapes as in `lower`."""
        x = tf.reshape(hidden, [-1, self.config.hidden_size])
        return self._run(range(layers, len(self.blocks)), x, mask, noise)

    def _run(self, layers: Iterable[int], x: tf.Tensor, mask: tf.Tensor, noise: Noise) -> tf.Tensor:
        bias = (1.0 - mask[:, None, None, :]) * _MASKED
        x = tf.cast(x, self.precision)
        for layer in layers:
            x = self.blocks[layer](x, bias, branch(noise, layer))
        return tf.cast(tf.reshape(x, [tf.shape(mask)[0], tf.shape(mask)[1], self.config.hidden_size]), tf.float32)
