"""A table of token embeddings as an encoder: the vector of a text is the mean of the rows of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io.encoder_files import WEIGHTS
from interestrec.model.backend import keras, tf
from interestrec.model.encoder import LoraAdapter
from interestrec.model.int8_nodes import NO_INT8_GRAPH
from interestrec.model.next_token_head import NOT_CAUSAL
from interestrec.model.noise import Noise, branch, dropout
from interestrec.model.pooling import POOLINGS, QUERY
from interestrec.text.text_frames import TextFrame, bare_frame
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.model.masked_lm import MaskedLmHead
    from interestrec.model.static_checkpoint import StaticLayout

_SIGNATURE = (tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32))  # ids, mask


class StaticEncoder(keras.layers.Layer):
    """An Encoder without layers; a text without tokens has the vector 0."""

    signature = _SIGNATURE
    depth = 0

    def __init__(
        self,
        rows: np.ndarray,
        layout: StaticLayout,
        normalises: bool = False,
        max_length: int = 1 << 20,
        rate: float = 0.1,
        pooling: str = "mean",
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        """`rows` are float32 [vocabulary, width]; vectors have length 1 if `normalises`; others as in StoredEncoder."""
        super().__init__(**kwargs)
        self.layout, self.normalises, self.max_length = layout, normalises, max_length
        self.rate, self.pooling, self.precision = rate, pooling, precision
        self.width = rows.shape[1]
        self.words = self.add_weight(name="words", shape=rows.shape, initializer="zeros")
        self.words.assign(rows)
        self.query = None
        if POOLINGS[pooling].learns_query:
            self.query = self.add_weight(name="query", shape=(self.width,), initializer="zeros")
        self.built = True

    @property
    def learns_pooling(self) -> bool:
        """See Encoder."""
        return self.query is not None

    def frame(self, tokenizer: Tokenizer, prompt: str = "") -> TextFrame:
        """See Encoder."""
        return bare_frame(tokenizer, prompt, self.layout.skips_unknown)

    def item_inputs(
        self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]], prompt: str = ""
    ) -> TextInputs:
        """See Encoder."""
        tokenizer = load_tokenizer(directory)
        if tokenizer.rows > self.words.shape[0]:
            raise ArtifactError(
                f"{directory}: the tokenizer has {tokenizer.rows} tokens, {WEIGHTS} rows for {self.words.shape[0]}; "
                "fetch the encoder again"
            )
        return text_inputs(features, fields, self.frame(tokenizer, prompt), self.max_length)

    def call(self, ids: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return the rows of tokens, float32 [texts, length, width]."""
        return self.lower(ids, mask, 0, noise)

    def lower(self, ids: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """See Encoder; there are no layers."""
        return dropout(tf.gather(self.words, ids), self.rate, branch(noise, 0))

    def of_words(self, words: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return words

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """See Encoder; there are no layers."""
        return hidden

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        vectors = POOLINGS[self.pooling].vectors(hidden, mask, self.query)
        if not self.normalises:
            return vectors
        return tf.math.divide_no_nan(vectors, tf.norm(vectors, axis=1, keepdims=True))

    @tf.function(input_signature=_SIGNATURE, autograph=False)
    def pooled(self, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See Encoder."""
        return self.pool(self.call(ids, mask), mask)

    def unfreeze(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """See Encoder; only a pooling can be trained."""
        return [] if self.query is None else [[self.query]]

    def export_weights(self) -> dict[str, np.ndarray]:
        """See Encoder."""
        return {self.layout.table: self.words.numpy()}

    def export_learned(self, layers: int) -> dict[str, np.ndarray]:
        """See Encoder."""
        return {} if self.query is None else {QUERY: self.query.numpy()}

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """See Encoder."""
        if set(tensors) - {QUERY}:
            raise ArtifactError(f"{WEIGHTS}: the layers stored with the model do not fit this encoder; finetune again")
        if self.query is not None and QUERY in tensors:
            self.query.assign(tensors[QUERY])
        return 0

    def int8_graph(self) -> NoReturn:
        """See Encoder."""
        raise ConfigError(NO_INT8_GRAPH)

    def next_token_head(self) -> NoReturn:
        """See Encoder."""
        raise ConfigError(NOT_CAUSAL)

    def masked_lm_head(self) -> MaskedLmHead:
        """See Encoder."""
        raise ConfigError("pretrain_adapt.objective masked needs an encoder with layers; choose another objective")
