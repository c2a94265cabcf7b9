"""The bias of the position at which an impression showed a candidate: learned with the order, no part of it."""

from typing import Any

from interestrec.model.backend import keras, tf

POSITIONS = 64  # further ones share the last
# A step of Adam moves every weight alike; the bias must be faster than what else could explain the clicks.
SCALE = 10.0


class PositionBias(keras.layers.Layer):
    """b_p of position p, added to the logit of order in training and left out at ranking.

    What is clicked because it stood first is explained by its position, so that the rest of the model need not call it
    interesting (the shallow tower of Zhao et al. 2019, "Recommending what video to watch next"). It starts at zero.
    """

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.bias = self.add_weight(name="bias", shape=(POSITIONS,), initializer="zeros")
        self.built = True

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Return the biases of positions, float32 in their shape.

        Args:
            positions: int32, 1 is the first; 0, not known, has no bias.
        """
        bias = tf.gather(SCALE * self.bias, tf.clip_by_value(positions - 1, 0, POSITIONS - 1))
        return tf.where(positions > 0, bias, 0.0)
