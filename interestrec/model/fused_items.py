"""Fused item vectors: what behaviour teaches about an item by its id and features, together with its text."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.entity_features import EntityFeatures
from interestrec.model.noise import Noise, branch

_TEXT_SCALE = 2.5  # of centred unit vectors; with 20, a few thousand clicks on news were over-fitted in one epoch
_START_DEVIATION = 0.3  # of the projected coordinates of a text vector


class FusedItems(keras.layers.Layer):
    """z_i = A t_i + Σ_f z_f as an entry of a history, o_i = B t_i + Σ_f o_f as a candidate.

    t_i is the centred text vector of the item tower; z_f and o_f are the vectors of the item's features, its id among
    them, see EntityFeatures. The two roles have weights of their own, because "what follows this item" is no symmetric
    relation. B and the vectors of features start at zero, so that new weights score every item alike.
    """

    def __init__(
        self, text_width: int, width: int, rate: float, attributes: Sequence[Sequence[Any]], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.text_width = text_width
        self.width = width
        self.entry_features = EntityFeatures(width, rate, attributes, name="entry_features")
        self.candidate_features = EntityFeatures(width, rate, attributes, name="candidate_features")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.centre = self.add_weight(name="centre", shape=(self.text_width,), initializer="zeros", trainable=False)
        shape = (self.text_width, self.width)
        start = keras.initializers.RandomNormal(stddev=_START_DEVIATION / _TEXT_SCALE, seed=1)
        self.entry_map = self.add_weight(name="entry_map", shape=shape, initializer=start)
        self.candidate_map = self.add_weight(name="candidate_map", shape=shape, initializer="zeros")
        self.entry_features.build()
        self.candidate_features.build()
        self.built = True

    def call(self, text: tf.Tensor, features: tf.Tensor, noise: Noise = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the vectors of items as entries of histories and as candidates, float32 [items, width] each.

        Args:
            text: float32 [items, text width], vectors of the item tower.
            features: int32 [items, columns], as of `FittedFeatures.packed`.
        """
        entry, candidate = self.of_texts(text)
        if self.entry_features.shapes:  # the same features are missing in both roles
            entry += self.entry_features(features, branch(noise, 0))
            candidate += self.candidate_features(features, branch(noise, 0))
        return entry, candidate

    def of_texts(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what the texts alone contribute, A t_i and B t_i; argument and values as in `call`."""
        centred = (text - self.centre) * _TEXT_SCALE
        entry = tf.matmul(centred, tf.convert_to_tensor(self.entry_map))
        return entry, tf.matmul(centred, tf.convert_to_tensor(self.candidate_map))
