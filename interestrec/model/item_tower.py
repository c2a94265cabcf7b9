"""The item tower: the encoder's pooled vector, adapted to the behaviour of users."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.entity_features import EntityFeatures
from interestrec.model.noise import Noise, branch, dropout


class ItemTower(keras.layers.Layer):
    """x_i = normalise(v̂ + W v̂ + Σ_f z_f), where v̂ is the normalised text vector after dropout.

    W starts at zero, so training starts from the encoder's geometry and learns which directions matter for interest;
    a hidden layer was no better on MIND's validation split. Dropout on v̂ spreads the similarity over many
    directions. The vectors z_f of the item's features, see EntityFeatures, start at zero too.
    """

    def __init__(self, width: int, rate: float, attributes: Sequence[Sequence[Any]], **kwargs: Any) -> None:
        """`attributes` are FeatureShapes, or their values in JSON, in the order of the columns."""
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        self.features = EntityFeatures(width, rate, attributes, name="features")
        self.map = keras.layers.Dense(width, kernel_initializer="zeros", use_bias=False, name="map")

    @property
    def attribute_of_column(self) -> list[int]:
        """The attribute of each column of codes."""
        return self.features.feature_of_column

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.map.build((None, self.width))
        self.features.build()
        self.built = True

    def call(self, vectors: tf.Tensor, codes: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return item vectors of norm 1.

        Args:
            vectors: float32 [items, width], vectors of the items' texts.
            codes: int32 [items, columns], the items' features as of `FittedFeatures.packed`.

        Returns:
            float32 [items, width].
        """
        text = dropout(tf.math.l2_normalize(vectors, axis=-1), self.rate, branch(noise, 0))
        item = text + self.map(text)
        if self.features.shapes:
            item += self.features(codes, branch(noise, 1))
        return tf.math.l2_normalize(item, axis=-1)
