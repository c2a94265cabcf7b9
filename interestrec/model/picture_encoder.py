"""The interface of picture encoders, and the base of those whose weights have the names of their file."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from interestrec.model.backend import keras, tf


class PictureEncoder(Protocol):
    """A network from prepared pictures (model/picture_preparation.py) to vectors, differentiable."""

    @property
    def width(self) -> int:
        """Width of the vectors."""

    @property
    def size(self) -> int:
        """Width and height of a prepared picture, in pixels."""

    @property
    def trainable_variables(self) -> Sequence[keras.Variable]:
        """All weights."""

    def vectors(self, pixels: tf.Tensor) -> tf.Tensor:
        """Return vectors, float32 [pictures, width].

        Args:
            pixels: float32 [pictures, size, size, 3], red, green and blue, scaled and normalised.
        """

    def export_weights(self) -> dict[str, np.ndarray]:
        """Return the weights by their names in the encoder's file, in its orientation."""


class PictureNetwork(keras.layers.Layer):
    """Weights by name, in the orientation of the file: [outputs, inputs], or [outputs, inputs, height, width]."""

    def __init__(self, size: int, width: int, tensors: Mapping[str, np.ndarray], names: Mapping[str, str]) -> None:
        """`tensors` have plain names, to which `names` gives those in the file."""
        super().__init__()
        self.size, self.width = size, width
        self._names = dict(names)
        self.weight_of = {}
        for name, value in tensors.items():
            self.weight_of[name] = self.add_weight(name=name, shape=value.shape, initializer="zeros")
            self.weight_of[name].assign(value)
        self.built = True

    def export_weights(self) -> dict[str, np.ndarray]:
        """See PictureEncoder."""
        return {self._names[name]: weight.numpy() for name, weight in self.weight_of.items()}

    def weight(self, name: str) -> tf.Tensor:
        """Return a weight by its plain name."""
        return tf.convert_to_tensor(self.weight_of[name])

    def dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Apply a linear map and its bias, if it has one, to the last axis of a matrix."""
        return self._biased(tf.matmul(x, self.weight(f"{name}.weight"), transpose_b=True), name)

    def convolution(self, x: tf.Tensor, name: str, stride: int, padding: str = "VALID") -> tf.Tensor:
        """Apply a convolution to pictures [pictures, height, width, channels]."""
        kernel = tf.transpose(self.weight(f"{name}.weight"), [2, 3, 1, 0])
        return self._biased(tf.nn.conv2d(x, kernel, stride, padding), name)

    def pointwise(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Apply a convolution of one pixel, as one matrix product over all pixels."""
        kernel = self.weight_of[f"{name}.weight"]
        flat = tf.reshape(x, [-1, kernel.shape[1]])
        product = tf.matmul(flat, tf.reshape(kernel, kernel.shape[:2]), transpose_b=True)
        return tf.reshape(self._biased(product, name), [-1, *x.shape[1:3], kernel.shape[0]])

    def depthwise(self, x: tf.Tensor, name: str, stride: int) -> tf.Tensor:
        """Apply one kernel per channel; as many pixels as the input has, divided by the stride."""
        kernel = tf.transpose(self.weight(f"{name}.weight"), [2, 3, 0, 1])
        return self._biased(tf.nn.depthwise_conv2d(x, kernel, [1, stride, stride, 1], "SAME"), name)

    def _biased(self, x: tf.Tensor, name: str) -> tf.Tensor:
        bias = f"{name}.bias"
        return tf.nn.bias_add(x, self.weight(bias)) if bias in self.weight_of else x

    def norm(self, x: tf.Tensor, name: str, epsilon: float) -> tf.Tensor:
        """Apply layer normalisation over the last axis."""
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)
        gamma, beta = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


ACTIVATIONS = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_pytorch_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": lambda x: tf.nn.relu(x),
}
