"""The `items` user tower: a user is what they showed interest in."""

from typing import Any

import keras
import tensorflow as tf

_ABSENT = -1e9


class ItemsUserTower(keras.layers.Layer):
    """x_u = Σ_j α_j x_j over the history, α = softmax(a·x_j + log intensity_j): attention of NRMS's kind.

    Wu et al. 2019, "Neural News Recommendation with Multi-Head Self-Attention", additive part. `a` starts at
    zero: a new tower is the mean of the history weighted by intensity. An empty history gives the zero vector.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = self.add_weight(name="attention", shape=(width, 1), initializer="zeros")
        self.built = True

    def weigh(self, history: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """Attention logits of the history, candidate-independent.

        Args:
            history: float32 [users, length, width], item vectors.
            intensity: float32 [users, length], 0 at padding.

        Returns:
            float32 [users, length], a large negative number at padding.
        """
        logits = tf.squeeze(tf.matmul(history, self.attention), axis=-1)
        present = intensity > 0
        return tf.where(present, logits + tf.math.log(tf.where(present, intensity, 1.0)), _ABSENT)

    def call(self, history: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
        """User vectors: float32 [users, width]; arguments as in `weigh`."""
        logits = self.weigh(history, intensity)
        share = tf.nn.softmax(logits, axis=-1) * tf.cast(intensity > 0, tf.float32)
        return tf.squeeze(tf.matmul(share[:, None, :], history), axis=1)
