"""The head that predicts masked tokens from hidden states; its decoder is the word embedding, transposed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io.encoder_files import WEIGHTS
from interestrec.model.backend import keras, tf
from interestrec.model.bert import Bert
from interestrec.model.bert_layer import layer_norm


class MaskedLmHead(keras.layers.Layer):
    """Transform, LayerNorm and tied decoder (Devlin et al. 2019).

    Checkpoints of sentence encoders lack these weights; the transform then starts as the identity, or as the transpose
    of the projection from the embeddings if these are narrower than the hidden states (ALBERT, ELECTRA).
    """

    def __init__(self, bert: Bert, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        config = bert.config
        self.names = config.family.head  # attribute -> Hugging Face name; the kernel is transposed there
        self.epsilon = config.layer_norm_eps
        self.approximate_gelu = config.approximate_gelu
        width = (config.embedding_width,)
        shape = (config.hidden_size, *width)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=keras.initializers.Identity())
        if config.has_projection:
            self.kernel.assign(tf.transpose(bert.projection))
        self.kernel_bias = self.add_weight(name="kernel_bias", shape=width, initializer="zeros")
        self.gamma = self.add_weight(name="gamma", shape=width, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=width, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(config.vocab_size,), initializer="zeros")
        self.built = True

    def call(self, hidden: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Return logits over the vocabulary.

        Args:
            hidden: float32 [positions, hidden], of masked positions only.
            words: float32 [vocabulary, width], the encoder's word embeddings.

        Returns:
            float32 [positions, vocabulary].
        """
        x = tf.nn.gelu(tf.matmul(hidden, self.kernel) + self.kernel_bias, approximate=self.approximate_gelu)
        x = layer_norm(x, self.gamma, self.beta, self.epsilon)
        return tf.matmul(x, words, transpose_b=True) + self.bias

    def assign(self, tensors: Mapping[str, np.ndarray]) -> bool:
        """Set the head's weights if a checkpoint has all of them, and return whether it has.

        Raises:
            ArtifactError: a tensor of the head does not have the shape that the encoder implies.
        """
        if not all(name in tensors for name in self.names.values()):
            return False
        for attribute, name in self.names.items():
            weight = getattr(self, attribute)
            shape = tuple(reversed(weight.shape))
            if tensors[name].shape != shape:
                raise ArtifactError(
                    f"{WEIGHTS}: tensor '{name}' has shape {tensors[name].shape}, not "
                    f"{shape} as in config.json; fetch the encoder again"
                )
            weight.assign(tensors[name].T)
        return True

    def export(self) -> dict[str, np.ndarray]:
        """Return the head's weights by their Hugging Face names."""
        values = {name: getattr(self, attribute).numpy() for attribute, name in self.names.items()}
        values[self.names["kernel"]] = np.ascontiguousarray(values[self.names["kernel"]].T)
        return values
