"""What the rest of the package asks of an encoder: inputs, a lower and an upper part, a pooling.

A new kind of encoder, such as one of images, a decoder or a table of given vectors, implements `Encoder` and
`StoredEncoder` in a file of its own and gets an entry in ENCODERS (model/encoders.py).
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


class LoraAdapter(Protocol):
    """Adapters beside frozen matrices: x W + (alpha / rank) (x A) B (Hu et al. 2022)."""

    @property
    def rank(self) -> int:
        """Columns of A and rows of B."""

    @property
    def alpha(self) -> float:
        """Scale."""

    @property
    def targets(self) -> Sequence[str]:
        """Names of a layer's matrices that have one."""


class EncoderInputs(Protocol):
    """The inputs of some items: sequences of positions, such as the tokens of texts or the patches of pictures."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray:
        """Positions of each input, int64 [inputs]."""

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """The given inputs as a batch: values as the encoder's signature says, and mask float32 [rows, length]."""

    def select(self, rows: np.ndarray) -> Self:
        """The given inputs in the given order."""

    def distinct(self) -> tuple[Self, np.ndarray]:
        """The distinct inputs, and for every input its row among them, int64 [inputs]."""

    def keys(self) -> list[bytes]:
        """16 bytes of each input: equal for equal inputs, by which caches find what was encoded."""


class Encoder(Protocol):
    """A network from inputs to vectors, whose layers can be run in two parts.

    The output of the lower part is computed once where its layers do not learn. Values are what EncoderInputs gives.
    """

    pooling: str  # of POOLINGS
    precision: str  # that matrices are multiplied in
    signature: Sequence[tf.TensorSpec]  # of a batch of inputs: values [inputs, length, ...], mask [inputs, length]
    words: tf.Variable  # float32 [vocabulary, width], what masked tokens are decoded with; see masked_lm_head

    @property
    def width(self) -> int:
        """Width of the vectors."""

    @property
    def depth(self) -> int:
        """Number of layers; 0 where there is nothing to divide."""

    @property
    def longest(self) -> int:
        """Most positions of an input, special tokens included."""

    @property
    def learns_pooling(self) -> bool:
        """Whether the pooling has weights, which finetune learns."""

    @property
    def trainable_variables(self) -> Sequence[keras.Variable]:
        """All weights."""

    def item_inputs(self, directory: Path, features: pa.Table, fields: Sequence[tuple[str, int]]) -> EncoderInputs:
        """The inputs of all items of a corpus.

        Args:
            directory: that the encoder was loaded from.
            features: table of schemas.TEXT_FEATURES.
            fields: (`title` or `text`, most tokens taken of it), in order.
        """

    def __call__(self, values: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Hidden states of all layers, float32 [inputs, length, hidden]."""

    def lower(self, values: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """Output of the first `layers` layers, float32 [inputs, length, hidden]."""

    def upper(self, hidden: tf.Tensor, mask: tf.Tensor, layers: int, noise: Noise = None) -> tf.Tensor:
        """What the layers above the first `layers` make of their output; shapes as in `lower`."""

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Vectors float32 [inputs, width] of hidden states of all layers."""

    def pooled(self, values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Vectors float32 [inputs, width] without dropout, compiled."""

    def learning(self, layers: int, lora: LoraAdapter | None = None, seed: int = 0) -> list[list[keras.Variable]]:
        """The weights that learn when the top `layers` layers do, from the lowest layer to the pooling; without
        `layers` those of the pooling alone. With `lora` adapters of the layers learn rather than their weights."""

    def exported(self) -> dict[str, np.ndarray]:
        """All weights, by the names of StoredEncoder."""

    def learned(self, layers: int) -> dict[str, np.ndarray]:
        """What finetune changed when the top `layers` layers learned, by names that `assign_learned` knows."""

    def assign_learned(self, tensors: Mapping[str, np.ndarray]) -> int:
        """Set what `learned` gave; how many of the top layers that were.

        Raises:
            ArtifactError: the tensors are not those of this encoder's top layers.
        """

    def masked_lm_head(self) -> MaskedLmHead:
        """A new head that predicts masked tokens from hidden states and `words`.

        Raises:
            ConfigError: the encoder has no tokens to mask.
        """


class StoredEncoder(Protocol):
    """An encoder as its files have it, before a network is built of it."""

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """All there are, those of a head among them."""

    def build(self, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Encoder:
        """The network with its weights; `rate` is dropout's, the rest as in Encoder."""

    def stored(self, learned: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The tensors by their names in the file, those that are among `learned` with their new values."""
