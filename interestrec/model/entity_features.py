"""Learned vectors of the features of items or users, added up."""

from collections.abc import Sequence
from typing import Any

from interestrec.corpus.feature_codes import FeatureShape
from interestrec.model.backend import keras, tf
from interestrec.model.feature_tables import table_width
from interestrec.model.noise import Noise, uniform


class EntityFeatures(keras.layers.Layer):
    """Σ_f z_f, where z_f is the sum of E[code] over the columns of feature f, for tags the mean, for dense values W x.

    E, a table per column of codes or one for all tags of a feature, and W start at zero, so that a new layer adds
    nothing. Code 0 has a vector, that of missing and unknown values. The mean over tags is that of codes above 0; an
    entity without any has the vector of code 0. The narrow vectors of large tables (`table_width`) are mapped to the
    width by a matrix that starts at random with a deviation of 1 / √64: a step of Adam then moves the sum about as far
    as without it.

    In training each feature of each entity is missing (code 0 in all its columns, dense values 0) with the dropout
    probability: the model learns to work without features, and what a missing one says.
    """

    def __init__(self, width: int, rate: float, shapes: Sequence[Sequence[Any]], **kwargs: Any) -> None:
        """`shapes` are FeatureShapes, or their values in JSON, in the order of `FittedFeatures`."""
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        self.shapes = [FeatureShape.of(*shape) for shape in shapes]
        self.code_columns = sum(shape.columns for shape in self.shapes)
        self.feature_of_column = [f for f, shape in enumerate(self.shapes) for _ in range(shape.columns)]
        self.feature_of_column += [f for f, shape in enumerate(self.shapes) for _ in range(shape.dense)]

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.tables: list[Any] = []
        self.maps: list[Any] = []  # per table, None where it has the layer's width
        self.kernels: list[Any] = []  # per feature, None where it has no dense values
        for shape in self.shapes:
            for column, size in enumerate(shape.sizes):
                self._add_table(f"{shape.name}_{column}", size, shape.shared)
            kernel = None
            if shape.dense:
                kernel = self.add_weight(
                    name=f"{shape.name}_kernel", shape=(shape.dense, self.width), initializer="zeros"
                )
            self.kernels.append(kernel)
        self.built = True

    def _add_table(self, name: str, size: int, shared: int) -> None:
        inner = table_width(size, shared, self.width)
        self.tables.append(self.add_weight(name=name, shape=(size, inner), initializer="zeros"))
        narrow = None
        if inner < self.width:
            start = keras.initializers.RandomNormal(stddev=inner**-0.5, seed=len(self.tables))
            narrow = self.add_weight(name=f"{name}_map", shape=(inner, self.width), initializer=start)
        self.maps.append(narrow)

    def call(self, packed: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return the sum of the features' vectors, float32 [entities, width].

        Args:
            packed: int32 [entities, columns], as of `FittedFeatures.packed`.
        """
        known = packed if noise is None else self._drop_features(packed, noise)
        tables, parts = iter(zip(self.tables, self.maps, strict=True)), []
        column, value = 0, self.code_columns
        for shape, kernel in zip(self.shapes, self.kernels, strict=True):
            for _ in shape.sizes:
                table, narrow = next(tables)
                vectors = _mean(table, known[:, column : column + shape.shared], shape.shared)
                parts.append(vectors if narrow is None else tf.matmul(vectors, tf.convert_to_tensor(narrow)))
                column += shape.shared
            if kernel is not None:
                values = tf.bitcast(known[:, value : value + shape.dense], tf.float32)
                parts.append(tf.matmul(values, tf.convert_to_tensor(kernel)))
                value += shape.dense
        return tf.add_n(parts)

    def _drop_features(self, packed: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Set random features to code 0 and value 0.0, whose bits are 0 as well, in all their columns."""
        draws = uniform((tf.shape(packed)[0], len(self.shapes)), noise)
        return packed * tf.cast(tf.gather(draws, self.feature_of_column, axis=1) >= self.rate, packed.dtype)


def _mean(table: tf.Variable, codes: tf.Tensor, shared: int) -> tf.Tensor:
    """Return the mean vector of the codes above 0 of each entity, that of code 0 where there are none.

    Args:
        table: float32 [size, inner].
        codes: int32 [entities, shared].

    Returns:
        float32 [entities, inner].
    """
    # The product makes the gradient a dense tensor. The gradient of a plain lookup lists a row once per entity, and
    # Keras squares these rows separately, although the norm and Adam's second moment need their sum.
    rows = 1.0 * table
    if shared == 1:
        return tf.gather(rows, codes[:, 0])
    is_known = tf.cast(codes > 0, tf.float32)
    count = tf.reduce_sum(is_known, axis=1, keepdims=True)
    weight = tf.where(count > 0, is_known / tf.maximum(count, 1.0), 1.0 / shared)
    # Column by column: all rows at once would need `shared` times the memory of the result.
    return tf.add_n([weight[:, c : c + 1] * tf.gather(rows, codes[:, c]) for c in range(shared)])
