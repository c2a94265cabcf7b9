"""The interface of encoders: inputs, a lower and an upper part, and a pooling.

A new kind of encoder, such as one of images, a decoder or a table of vectors, implements `Encoder` and
`StoredEncoder` in its own file and gets an entry in ENCODERS (model/encoders.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from interestrec.model.noise import Noise

if TYPE_CHECKING:
    import pyarrow as pa

    from interestrec.model.backend import keras, tf
    from interestrec.model.masked_lm import MaskedLmHead
    from interestrec.model.next_token_head import NextTokenHead
    from interestrec.text.text_frames import TextFrame
    from interestrec.text.tokenizer import Tokenizer


class LoraAdapter(Protocol):
    """Adapters beside frozen matrices: x W + (alpha / rank) (x A) B (Hu et al. 2022)."""

    @property
    def rank(self) -> int:
        """Number of columns of A and of rows of B."""

    @property
    def alpha(self) -> float:
        """Scale of the adapters."""

    @property
    def targets(self) -> Sequence[str]:
        """Names of a layer's matrices that have an adapter."""


class EncoderInputs(Protocol):
    """Inputs of items: sequences of positions, such as the tokens of texts or the patches of images."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray:
        """Number of positions of each input, int64 [inputs]."""

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs as a batch: values as in the encoder's signature, and mask float32 [rows, length]."""

    def select(self, rows: np.ndarray) -> Self:
        """Return the inputs at `rows`, in this order."""

    def distinct(self) -> tuple[Self, np.ndarray]:
        """Return the distinct inputs, and the row of every input among them, int64 [inputs]."""

    def keys(self) -> list[bytes]:
        """Return 16 bytes per input, equal for equal inputs; caches look vectors up by them."""


class InputEncoder(Protocol):
    """A network from inputs to vectors. Values are those of EncoderInputs."""

    signature: Sequence[tf.TensorSpec]  # of a batch of inputs: values [inputs, length, ...], mask [inputs, length]

    @property
    def width(self) -> int:
        """Width of the vectors."""

    @property
    def trainable_variables(self) -> Sequence[keras.Variable]:
        """All weights of the encoder."""

    def __call__(self, values: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Run all layers: hidden states, float32 [inputs, length, hidden]."""

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return vectors, float32 [inputs, width], from the hidden states of the last layer."""

    def pooled(self, values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return vectors, float32 [inputs, width], without dropout; compiled."""


class Encoder(InputEncoder, Protocol):
    """An encoder whose layers can be run in two parts.

    The output of the lower part is computed once if its layers are frozen.
    """

    pooling: str  # a key of POOLINGS
    precision: str  # of matrix products
    words: tf.Variable  # float32 [vocabulary, width], the decoder of masked_lm_head

    @property
    def depth(self) -> int:
        """Number of layers; 0 if the encoder cannot be divided."""

    @property
    def max_length(self) -> int:
        """Maximum number of positions of an input, special tokens included."""

    @property
    def learns_pooling(self) -> bool:
        """Whether the pooling has weights, which finetune trains."""

    def frame(self, tokenizer: Tokenizer, prompt: str = "") -> TextFrame:
        """Return what stands around a text, the prompt included."""

    def item_inputs(
        self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]], prompt: str = ""
    ) -> EncoderInputs:
        """Return the inputs of all items of a corpus.

        Args:
            directory: the directory that the encoder was loaded from.
            features: table of schemas.TEXT_FEATURES.
            fields: (`title` or `text`, its maximum number of tokens), in order.
            prompt: text that stands before that of every item, such as `query: `.
        """

    def lower(self, values: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Run the first `layers` layers: float32 [inputs, length, hidden]."""

    def of_words(self, words: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Run all layers on rows of `words` or mixtures of them, float32 [inputs, length, hidden]; differentiable."""

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Run the layers above the first `layers` on their output; shapes as in `lower`."""

    def unfreeze(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """Return the weights to train, by layer from the lowest to the pooling.

        Args:
            layers: number of top layers to train; 0 trains the pooling alone.
            lora: train adapters of these layers rather than their weights.
            seed: of the adapters' initial values.
        """

    def export_weights(self) -> dict[str, np.ndarray]:
        """Return all weights by the names of StoredEncoder."""

    def export_learned(self, layers: int) -> dict[str, np.ndarray]:
        """Return the weights that training of the top `layers` layers changes; the inverse of `assign_learned`."""

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """Set weights from `export_learned` and return the number of top layers among them.

        Raises:
            ArtifactError: the tensors are not those of this encoder's top layers.
        """

    def masked_lm_head(self) -> MaskedLmHead:
        """Return a new head that predicts masked tokens from hidden states and `words`.

        Raises:
            ConfigError: the encoder has no tokens to mask.
        """

    def int8_graph(self) -> bytes:
        """Return `__call__` with the current weights as an ONNX graph with products of 8-bit integers.

        Inputs are `ids` and `mask`, the output is float32 [inputs, length, hidden].

        Raises:
            ConfigError: there is no such graph of this kind of encoder, or the package onnx is not installed.
        """

    def next_token_head(self) -> NextTokenHead:
        """Return the head that predicts the next token from hidden states and `words`.

        Raises:
            ConfigError: the encoder does not read from left to right.
        """


class StoredEncoder(Protocol):
    """The files of an encoder, before a network is built from them."""

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """All tensors of the file, including those of a head."""

    def build(self, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Encoder:
        """Build the network with its weights; `rate` is the dropout rate, the others are as in Encoder."""

    def stored(self, learned: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tensors by their names in the file, with new values from `learned`."""
