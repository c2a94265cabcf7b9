"""The item tower: the encoder's pooled vector, moved by what behaviour teaches."""

from typing import Any

import keras
import tensorflow as tf


class ItemTower(keras.layers.Layer):
    """x_i = normalise(v̂ + W₂ gelu(W₁ v̂)), v̂ the normalised vector of the item's text with dropout.

    W₂ starts at zero, so training starts from the encoder's own geometry. Dropout on v̂ itself makes the
    similarity, too, lean on many directions at once.
    """

    def __init__(self, width: int, inner: int, dropout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dropout = keras.layers.Dropout(dropout)
        self.down = keras.layers.Dense(inner, activation="gelu", name="down")
        self.up = keras.layers.Dense(width, kernel_initializer="zeros", name="up")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.down.build((None, self.width))
        self.up.build((None, self.down.units))
        self.built = True

    def call(self, vectors: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Item vectors of length 1: float32 [items, width] from float32 [items, width]."""
        kept = self.dropout(tf.math.l2_normalize(vectors, axis=-1), training=training)
        return tf.math.l2_normalize(kept + self.up(self.down(kept)), axis=-1)
