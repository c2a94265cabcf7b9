"""The item tower: the vectors of an item's modalities, adapted to the behaviour of users."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.modality import Modality
from interestrec.model.modality_gates import ModalityGates
from interestrec.model.noise import Noise, branch, dropout


class ItemTower(keras.layers.Layer):
    """x_i = normalise(v̂ + W v̂), where v̂ is the normalised text vector after dropout; without `adapts`, W = 0.

    With several modalities, v is their fusion by ModalityGates in place of the text vector.

    W starts at zero, so training starts from the encoder's geometry and learns which directions matter for interest;
    a hidden layer was no better on MIND's validation split. Dropout on v̂ spreads the similarity over many
    directions. What is learned beside the text is in FusedItems.
    """

    def __init__(
        self, width: int, rate: float, adapts: bool, modalities: Sequence[Modality] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.gates = ModalityGates(modalities, rate, name="gates") if len(modalities) > 1 else None
        self.width = width
        self.rate = rate
        self.adapts = adapts
        self.map = keras.layers.Dense(width, kernel_initializer="zeros", use_bias=False, name="map")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        if self.gates is not None:
            self.gates.build()
        if self.adapts:
            self.map.build((None, self.width))
        self.built = True

    def call(self, vectors: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return item vectors of norm 1, float32 [items, width], from vectors of the encoders in the same shape."""
        if self.gates is not None:
            vectors = self.gates(vectors, branch(noise, 0))
        text = dropout(tf.math.l2_normalize(vectors, axis=-1), self.rate, noise)
        return tf.math.l2_normalize(text + self.map(text) if self.adapts else text, axis=-1)
