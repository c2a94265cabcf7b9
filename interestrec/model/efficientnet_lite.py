"""EfficientNet-Lite0: EfficientNet-B0 (Tan & Le 2019) with ReLU6 and without squeeze-and-excitation.

Batch normalisation is folded into the convolutions (io/efficientnet_files.py), so each has a bias.
"""

from pathlib import Path
from typing import NamedTuple

from interestrec.model.backend import tf
from interestrec.model.picture_checkpoint import PictureTensors, affine, read_picture_tensors
from interestrec.model.picture_encoder import PictureNetwork
from interestrec.model.picture_preparation import read_preparation

_STEM, _HEAD = 32, 1280  # channels


class _Block(NamedTuple):
    """An inverted residual: wider per pixel, convolved per channel, narrower per pixel."""

    inputs: int
    outputs: int
    expansion: int
    kernel: int
    stride: int

    @property
    def inner(self) -> int:
        """Channels of the convolution."""
        return self.inputs * self.expansion

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.inputs == self.outputs and self.stride == 1


# (blocks, channels, expansion, kernel, stride of the first block)
_STAGES = (
    (1, 16, 1, 3, 1),
    (2, 24, 6, 3, 2),
    (2, 40, 6, 5, 2),
    (3, 80, 6, 3, 2),
    (3, 112, 6, 5, 1),
    (4, 192, 6, 5, 2),
    (1, 320, 6, 3, 1),
)


def _blocks() -> list[_Block]:
    blocks, inputs = [], _STEM
    for count, outputs, expansion, kernel, stride in _STAGES:
        for number in range(count):
            blocks.append(_Block(inputs, outputs, expansion, kernel, 1 if number else stride))
            inputs = outputs
    return blocks


class EfficientNetLite(PictureNetwork):
    """A PictureEncoder of inverted residuals; the vector is the mean over the last pixels, 1280 wide."""

    def __init__(self, size: int, tensors: PictureTensors) -> None:
        super().__init__(size, _HEAD, *tensors)

    def vectors(self, pixels: tf.Tensor) -> tf.Tensor:
        """See PictureEncoder."""
        x = tf.nn.relu6(self.convolution(pixels, "conv_stem", 2, "SAME"))
        for number, block in enumerate(_blocks()):
            name, y = f"blocks.{number}", x
            if block.expansion > 1:
                y = tf.nn.relu6(self.pointwise(y, f"{name}.expand_conv"))
            y = tf.nn.relu6(self.depthwise(y, f"{name}.depthwise_conv", block.stride))
            y = self.pointwise(y, f"{name}.project_conv")
            x = x + y if block.is_residual else y
        return tf.reduce_mean(tf.nn.relu6(self.pointwise(x, "conv_head")), [1, 2])


def read_efficientnet_lite(directory: Path) -> EfficientNetLite:
    """Read an EfficientNet-Lite0.

    Raises:
        InputMissingError, ArtifactError: as `read_preparation` and `read_picture_tensors`.
    """
    size = read_preparation(directory).size  # the convolutions take any
    return EfficientNetLite(size, read_picture_tensors(directory, efficientnet_shapes(), ("",)))


def efficientnet_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by its name."""
    shapes = affine("conv_stem", _STEM, 3, 3, 3)
    for number, block in enumerate(_blocks()):
        name = f"blocks.{number}"
        if block.expansion > 1:
            shapes |= affine(f"{name}.expand_conv", block.inner, block.inputs, 1, 1)
        shapes |= affine(f"{name}.depthwise_conv", block.inner, 1, block.kernel, block.kernel)
        shapes |= affine(f"{name}.project_conv", block.outputs, block.inner, 1, 1)
    return shapes | affine("conv_head", _HEAD, _STAGES[-1][1], 1, 1)
