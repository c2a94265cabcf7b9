"""BERT-family encoders (Devlin et al. 2019) for checkpoints in Hugging Face layout, written for speed.

The layers can be run in two parts, so that the output of a frozen prefix is computed once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pyarrow as pa

from interestrec.core.errors import ConfigError
from interestrec.model import bert_tensors
from interestrec.model.backend import keras, tf
from interestrec.model.bert_config import BertConfig
from interestrec.model.bert_layer import BertLayer, layer_norm
from interestrec.model.encoder import LoraAdapter
from interestrec.model.next_token_head import NOT_CAUSAL
from interestrec.model.noise import Noise, branch, dropout
from interestrec.model.pooling import POOLINGS
from interestrec.model.relative_positions import relative_bias
from interestrec.text.text_frames import TextFrame, sentence_frame
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from interestrec.model.masked_lm import MaskedLmHead

PRECISIONS = ("float32", "bfloat16", "float16")  # of matrix products; weights and sums stay float32
_MASKED = -1e9  # added to the attention scores of padding
_SIGNATURE = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32))  # ids, mask


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
        stored = [BertLayer(config, rate, name=f"layer_{n}") for n in config.stored_layers]
        self.blocks = stored * config.num_hidden_layers if config.family.shares_layer else stored

    def build(self, input_shape: Any = None) -> None:
        """Create all weights."""
        normal = keras.initializers.TruncatedNormal(stddev=self.config.initializer_range, seed=0)
        config, width = self.config, self.config.embedding_width
        rows = {"words": config.vocab_size, "positions": config.max_position_embeddings}
        if config.type_vocab_size:
            rows["segments"] = config.type_vocab_size
        for name, count in rows.items():
            setattr(self, name, self.add_weight(name=name, shape=(count, width), initializer=normal))
        self.gamma = self.add_weight(name="gamma", shape=(width,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(width,), initializer="zeros")
        if config.has_projection:
            shape = (width, config.hidden_size)
            self.projection = self.add_weight(name="projection", shape=shape, initializer=normal)
            self.projection_bias = self.add_weight(name="projection_bias", shape=shape[1:], initializer="zeros")
        if config.relative_buckets:
            shape = (config.relative_buckets, config.num_attention_heads)
            self.relative = self.add_weight(name="relative", shape=shape, initializer=normal)
        self.query = None
        if POOLINGS[self.pooling].learns_query:
            self.query = self.add_weight(name="query", shape=(self.config.hidden_size,), initializer="zeros")
        for number in config.stored_layers:
            self.blocks[number].build(None)
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

    def frame(self, tokenizer: Tokenizer, prompt: str = "") -> TextFrame:
        """See Encoder."""
        return sentence_frame(tokenizer, prompt)

    def item_inputs(
        self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]], prompt: str = ""
    ) -> TextInputs:
        """See Encoder."""
        return text_inputs(features, fields, self.frame(load_tokenizer(directory), prompt), self.max_length)

    def int8_graph(self) -> bytes:
        """See Encoder."""
        from interestrec.model.bert_int8 import bert_int8_graph  # few runs need it

        return bert_int8_graph(self)

    def next_token_head(self) -> NoReturn:
        """See Encoder."""
        raise ConfigError(NOT_CAUSAL)

    def masked_lm_head(self) -> "MaskedLmHead":
        """See Encoder."""
        from interestrec.model.masked_lm import MaskedLmHead  # it imports this module

        return MaskedLmHead(self)

    def unfreeze(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """See Encoder."""
        blocks = self.blocks[len(self.blocks) - layers :]
        if layers and self.config.family.shares_layer:
            if layers < len(self.blocks):
                raise ConfigError(
                    f"finetune.trainable_layers is {layers}, but all {len(self.blocks)} layers of "
                    f"{self.config.model_type} share their weights; set it to 0 or {len(self.blocks)}"
                )
            blocks = blocks[:1]
        count = len(lora.targets) if lora else 0
        weights = [
            block.adapt(lora, seed + count * number) if lora else list(block.trainable_variables)
            for number, block in enumerate(blocks)
        ]
        return weights if self.query is None else [*weights, [self.query]]

    def export_weights(self) -> dict[str, np.ndarray]:
        """See Encoder."""
        return bert_tensors.export(self)

    def export_learned(self, layers: int) -> dict[str, np.ndarray]:
        """See Encoder; tensors have Hugging Face names."""
        return bert_tensors.export_learned(self, layers)

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """See Encoder."""
        return bert_tensors.assign_learned(self, tensors)

    def call(self, ids: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Run all layers: hidden states, float32 [texts, length, hidden]; arguments as in `lower`."""
        return self.lower(ids, mask, self.config.num_hidden_layers, noise)

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return vectors of texts, float32 [texts, hidden], from the output of `call`."""
        return POOLINGS[self.pooling].vectors(hidden, mask, self.query)

    @tf.function(input_signature=_SIGNATURE, autograph=False)
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
        return self._lower(tf.gather(self.words, ids), mask, layers, noise)

    def of_words(self, words: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return self._lower(words, mask, self.config.num_hidden_layers, None)

    def _lower(self, words: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise) -> tf.Tensor:
        """See `lower`; `words` are embeddings without those of positions, float32 [texts, length, width]."""
        x = words + self._position_embeddings(tf.shape(words)[1])
        if self.config.type_vocab_size:
            x += self.segments[0]
        width = self.config.embedding_width
        x = layer_norm(tf.reshape(x, [-1, width]), self.gamma, self.beta, self.config.layer_norm_eps)
        x = dropout(x, self.rate, branch(noise, len(self.blocks)))
        if self.config.has_projection:
            x = tf.nn.bias_add(tf.matmul(x, self.projection), self.projection_bias)
        return self._run(range(layers), x, mask, noise)

    def _position_embeddings(self, length: tf.Tensor) -> tf.Tensor:
        """Position embeddings float32 [1, length, width]; zeros at positions that only padding reaches."""
        first = self.config.first_position
        known = self.positions[first : first + length]
        return tf.pad(known, [[0, length - tf.shape(known)[0]], [0, 0]])[None]

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Run the blocks above the first `layers` on their output; shapes as in `lower`."""
        x = tf.reshape(hidden, [-1, self.config.hidden_size])
        return self._run(range(layers, len(self.blocks)), x, mask, noise)

    def _run(self, layers: Iterable[int], x: tf.Tensor, mask: tf.Tensor, noise: Noise) -> tf.Tensor:
        bias = (1.0 - tf.expand_dims(tf.expand_dims(mask, 1), 1)) * _MASKED
        if self.config.relative_buckets:
            bias += relative_bias(self.relative, tf.shape(mask)[1])
        x = tf.cast(x, self.precision)
        for layer in layers:
            x = self.blocks[layer](x, bias, branch(noise, layer))
        return tf.cast(tf.reshape(x, [tf.shape(mask)[0], tf.shape(mask)[1], self.config.hidden_size]), tf.float32)
