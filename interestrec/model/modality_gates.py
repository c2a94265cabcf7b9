"""Fusion of the vectors of several modalities by learned gates."""

from collections.abc import Sequence
from typing import Any

from interestrec.model.backend import keras, tf
from interestrec.model.modality import Modality
from interestrec.model.noise import Noise, uniform

_ABSENT = -1e9
_LEAST_SHARE = 1e-12  # the gradient of a square root is infinite at 0


class ModalityGates(keras.layers.Layer):
    """c_i = [√s_1 v̂_1, …, √s_M v̂_M], with s = softmax over the item's modalities of b_m + k_m·v̂_m.

    v̂_m is the vector of modality m with norm 1. The square roots make the norm of c_i 1, and c_i·c_j the sum over
    modalities of √(s_im s_jm) cos_m(i, j): gates say how much each modality counts, per item by its own vector (gated
    fusion, Arevalo et al. 2017, with shares that add up to 1). b and k start at zero, so that all modalities of an
    item count alike. A modality that an item lacks has no share, and an item without any has the vector 0.

    In training each modality of an item is missing with the dropout probability, unless it is the item's last one: the
    model learns to work without each, as new items may (modality dropout, Neverova et al. 2016).
    """

    def __init__(self, modalities: Sequence[Modality], rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.widths = [modality.width for modality in modalities]
        self.rate = rate

    def build(self, input_shape: Any = None) -> None:
        """Create the weights."""
        self.bias = self.add_weight(name="bias", shape=(len(self.widths),), initializer="zeros")
        self.kernel = self.add_weight(name="kernel", shape=(sum(self.widths),), initializer="zeros")
        self.built = True

    def call(self, vectors: tf.Tensor, noise: Noise = None) -> tf.Tensor:
        """Return c_i, float32 [items, sum of widths], from the vectors of all modalities in the same shape."""
        blocks = [tf.math.l2_normalize(block, axis=-1) for block in tf.split(vectors, self.widths, axis=1)]
        present = tf.stack([tf.reduce_max(tf.abs(block), axis=1) > 0 for block in blocks], axis=1)
        if noise is not None:
            present = self._with_dropout(present, noise)
        roots = tf.sqrt(tf.maximum(self._shares(blocks, present), _LEAST_SHARE)) * tf.cast(present, tf.float32)
        return tf.concat([block * roots[:, m : m + 1] for m, block in enumerate(blocks)], axis=1)

    def _shares(self, blocks: Sequence[tf.Tensor], present: tf.Tensor) -> tf.Tensor:
        """Return s, float32 [items, modalities], 0 where a modality is absent beside others."""
        kernels = tf.split(tf.convert_to_tensor(self.kernel), self.widths)
        products = [tf.linalg.matvec(block, kernel) for block, kernel in zip(blocks, kernels, strict=True)]
        logits = tf.stack(products, axis=1) + tf.convert_to_tensor(self.bias)
        return tf.nn.softmax(tf.where(present, logits, _ABSENT))

    def _with_dropout(self, present: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        draws = uniform((tf.shape(present)[0], len(self.widths)), noise)
        # The modality with the largest draw stays, so that no item loses all of them.
        largest = tf.reduce_max(tf.where(present, draws, -1.0), axis=1, keepdims=True)
        return present & ((draws >= self.rate) | (draws >= largest))
