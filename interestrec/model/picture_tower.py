"""The tower of pictures in contrastive learning: an encoder of pictures and a linear map to the width of texts."""

from collections.abc import Sequence

import numpy as np

from interestrec.model.backend import keras, tf
from interestrec.model.noise import Noise
from interestrec.model.picture_encoder import PictureEncoder
from interestrec.model.picture_preparation import PicturePreparation


class PictureTower:
    """An InputEncoder of resized pictures, whose states have one position.

    The vector is W v of the picture vector v, as in CLIP (Radford et al. 2021, figure 3). W belongs to the loss alone:
    it is learned from random values, kept in no file, and no vector of an item passes through it. So what is learned
    serves the product only as far as it is in the encoder.
    """

    def __init__(self, encoder: PictureEncoder, preparation: PicturePreparation, width: int, seed: int) -> None:
        """`width` is that of the vectors, and `seed` that of W, which is normal with deviation 1 / √(width of v)."""
        self.encoder, self.preparation, self.width = encoder, preparation, width
        size = preparation.size
        # Levels of resized pictures, and a mask that is 0 where a picture did not decode.
        self.signature: Sequence[tf.TensorSpec] = (
            tf.TensorSpec([None, size, size, 3], tf.uint8),
            tf.TensorSpec([None, None], tf.float32),
        )
        values = np.random.default_rng([seed, 13]).standard_normal((encoder.width, width), np.float32)
        self.projection = keras.Variable(values / np.float32(np.sqrt(encoder.width)), name="projection")
        self.pooled = tf.function(
            lambda levels, mask: self.pool(self(levels, mask), mask), input_signature=self.signature, autograph=False
        )

    @property
    def trainable_variables(self) -> Sequence[keras.Variable]:
        """See InputEncoder."""
        return [*self.encoder.trainable_variables, self.projection]

    def __call__(self, values: tf.Tensor, mask: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Encode pictures: float32 [pictures, 1, width], 0 where the mask is; there is no dropout."""
        vectors = self.encoder.vectors(self.preparation.normalise(values))
        projected = tf.matmul(vectors, tf.convert_to_tensor(self.projection))
        return (projected * tf.reduce_max(mask, axis=1, keepdims=True))[:, None]

    def pool(self, hidden: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """See InputEncoder."""
        return hidden[:, 0]
