"""The item tower: the encoder's pooled vector, adapted to the behaviour of users."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise, branch, dropout, uniform


class ItemTower(keras.layers.Layer):
    """x_i = normalise(v̂ + W v̂ + Σ_f E_f[code_f]), where v̂ is the normalised text vector after dropout.

    W starts at zero, so training starts from the encoder's geometry and learns which directions matter for interest;
    a hidden layer was no better on MIND's validation split. Dropout on v̂ spreads the similarity over many
    directions. E_f, one table per column of attribute codes, starts at zero too. In training each attribute of each
    item is missing (code 0 in all its columns) with the dropout probability: the tower learns to work without
    attributes, and what code 0 says about an item.
    """

    def __init__(self, width: int, rate: float, attributes: Sequence[tuple[str, Sequence[int]]], **kwargs: Any) -> None:
        """`attributes` are pairs of a name and the number of codes per column, in the order of the columns."""
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        self.attributes = [(name, tuple(sizes)) for name, sizes in attributes]
        self.attribute_of_column = [a for a, (_, sizes) in enumerate(self.attributes) for _ in sizes]
        self.map = keras.layers.Dense(width, kernel_initializer="zeros", use_bias=False, name="map")

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.map.build((None, self.width))
        self.tables = [
            self.add_weight(name=f"{name}_{column}", shape=(size, self.width), initializer="zeros")
            for name, sizes in self.attributes
            for column, size in enumerate(sizes)
        ]
        self.built = True

    def call(self, vectors: tf.Tensor, codes: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return item vectors of norm 1.

        Args:
            vectors: float32 [items, width], vectors of the items' texts.
            codes: int32 [items, columns], codes of the items' attributes.

        Returns:
            float32 [items, width].
        """
        text = dropout(tf.math.l2_normalize(vectors, axis=-1), self.rate, branch(noise, 0))
        item = text + self.map(text)
        if self.tables:
            known = codes if noise is None else self._drop_attributes(codes, branch(noise, 1))
            item += tf.add_n([_rows(table, known[:, column]) for column, table in enumerate(self.tables)])
        return tf.math.l2_normalize(item, axis=-1)

    def _drop_attributes(self, codes: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Set random attributes to code 0, in all their columns."""
        draws = uniform((tf.shape(codes)[0], len(self.attributes)), noise)
        return codes * tf.cast(tf.gather(draws, self.attribute_of_column, axis=1) >= self.rate, codes.dtype)


def _rows(table: tf.Variable, codes: tf.Tensor) -> tf.Tensor:
    """Look up the rows of codes, float32 [items, width].

    The product makes the gradient a dense tensor. The gradient of a plain lookup lists a row once per item, and Keras
    squares these rows separately, although the norm and Adam's second moment need their sum.
    """
    return tf.gather(1.0 * table, codes)
