"""The item tower: the encoder's pooled vector, moved by what behaviour teaches."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise, branch, dropout, uniform


class ItemTower(keras.layers.Layer):
    """x_i = normalise(v̂ + W v̂ + Σ_f E_f[code_f]), v̂ the normalised vector of the item's text with dropout.

    W starts at zero, so training starts from the encoder's own geometry and learns which of its directions matter
    for interest; a hidden layer in its place was no better on MIND's validation split. Dropout on v̂ itself makes
    the similarity lean on many directions at once. E_f, one table a column of the attributes' codes, starts at zero
    too. In training every attribute of every item is taken for missing, code 0 in all its columns, with the same
    probability: the tower learns to do without, and code 0 comes to mean what is known of an item without it.
    """

    def __init__(self, width: int, rate: float, attributes: Sequence[tuple[str, Sequence[int]]], **kwargs: Any) -> None:
        """`attributes`: of each its name and the number of codes of each of its columns, in the columns' order."""
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
        """Item vectors of length 1.

        Args:
            vectors: float32 [items, width], of the items' texts.
            codes: int32 [items, columns], of the items' attributes.

        Returns:
            float32 [items, width].
        """
        kept = dropout(tf.math.l2_normalize(vectors, axis=-1), self.rate, branch(noise, 0))
        moved = kept + self.map(kept)
        if self.tables:
            known = codes if noise is None else self._left_out(codes, branch(noise, 1))
            moved += tf.add_n([_rows(table, known[:, column]) for column, table in enumerate(self.tables)])
        return tf.math.l2_normalize(moved, axis=-1)

    def _left_out(self, codes: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """The codes with attributes at random set to 0, all columns of one together."""
        draws = uniform((tf.shape(codes)[0], len(self.attributes)), noise)
        return codes * tf.cast(tf.gather(draws, self.attribute_of_column, axis=1) >= self.rate, codes.dtype)


def _rows(table: tf.Variable, codes: tf.Tensor) -> tf.Tensor:
    """float32 [items, width]: the codes' rows.

    The product makes the gradient one dense tensor. Straight from the variable it is a list of rows in which a code
    of several items comes several times, and Keras squares these one by one: for the gradient's norm and for Adam's
    second moment they must be summed first.
    """
    return tf.gather(1.0 * table, codes)
