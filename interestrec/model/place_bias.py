"""The bias of the place at which an impression showed a candidate: learned with the order, no part of it."""

from typing import Any

from interestrec.model.backend import keras, tf

PLACES = 64  # further ones share the last
# A step of Adam moves every weight alike; the bias must be faster than what else could explain the clicks.
SCALE = 10.0


class PlaceBias(keras.layers.Layer):
    """b_p of place p, added to the logit of order in training and left out at ranking.

    What is clicked because it stood first is explained by its place, so that the rest of the model need not call it
    interesting (the shallow tower of Zhao et al. 2019, "Recommending what video to watch next"). It starts at zero.
    """

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.bias = self.add_weight(name="bias", shape=(PLACES,), initializer="zeros")
        self.built = True

    def call(self, places: tf.Tensor) -> tf.Tensor:
        """Return the biases of places, int32 of any shape, 1 is the first: float32, 0 where the place is 0, unknown."""
        bias = tf.gather(SCALE * self.bias, tf.clip_by_value(places - 1, 0, PLACES - 1))
        return tf.where(places > 0, bias, 0.0)
