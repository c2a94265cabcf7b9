"""The head that predicts the next token from the hidden states of a decoder."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from interestrec.model.backend import keras, tf

# Said of encoders that do not read from left to right.
NOT_CAUSAL = (
    "pretrain_adapt.objective next_token needs a decoder, since other encoders see the token that they would predict; "
    "choose another objective"
)


class NextTokenHead(keras.layers.Layer):
    """logits = h Kᵀ, with K the decoder's word embeddings, or a matrix of its own where the checkpoint has one."""

    def __init__(self, kernel: np.ndarray | None, **kwargs: Any) -> None:
        """`kernel` is [vocabulary, width], None if the word embeddings take its place."""
        super().__init__(**kwargs)
        self.kernel = None
        if kernel is not None:
            self.kernel = self.add_weight(name="kernel", shape=kernel.shape, initializer="zeros")
            self.kernel.assign(kernel.astype(np.float32))
        self.built = True

    def call(self, hidden: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Return logits over the vocabulary, float32 [positions, vocabulary].

        Args:
            hidden: float32 [positions, width].
            words: float32 [vocabulary, width], the decoder's word embeddings.
        """
        kernel = words if self.kernel is None else self.kernel
        return tf.matmul(hidden, tf.convert_to_tensor(kernel), transpose_b=True)

    def assign(self, tensors: Mapping[str, np.ndarray]) -> bool:
        """Return True: the head is that of the checkpoint from the start."""
        return True

    def export(self) -> dict[str, np.ndarray]:
        """Return the matrix by its Hugging Face name, if there is one."""
        return {} if self.kernel is None else {"lm_head.weight": self.kernel.numpy()}
