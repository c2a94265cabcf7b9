"""ConvNeXt (Liu et al. 2022): convolutions of 7 × 7 per channel, and feed-forward parts per pixel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.io.encoder_files import CONFIG, read_encoder_config
from interestrec.model.backend import tf
from interestrec.model.picture_checkpoint import (
    MAX_LAYERS,
    PictureTensors,
    activation_of,
    affine,
    integer,
    read_picture_tensors,
    require_values,
)
from interestrec.model.picture_encoder import ACTIVATIONS, PictureNetwork
from interestrec.model.picture_preparation import read_preparation

_EPSILON = 1e-6  # of all norms but the last
_KERNEL = 7
_PREFIXES = ("", "convnext.")
_DEPTHS, _WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)  # of ConvNeXt-T, where a configuration leaves them out


@dataclass(frozen=True)
class ConvNextConfig:
    """The sizes of a ConvNeXt; pictures may have any size."""

    size: int
    patch: int
    widths: Sequence[int]  # per stage
    depths: Sequence[int]
    epsilon: float  # of the last norm
    activation: Callable
    scales: bool  # whether blocks multiply their output by a weight per channel


class ConvNext(PictureNetwork):
    """A PictureEncoder of convolutions; the vector is the norm of the mean over the pixels of the last stage."""

    def __init__(self, config: ConvNextConfig, tensors: PictureTensors) -> None:
        super().__init__(config.size, config.widths[-1], *tensors)
        self.config = config

    def vectors(self, pixels: tf.Tensor) -> tf.Tensor:
        """See PictureEncoder."""
        x = self.convolution(pixels, "embeddings.patch_embeddings", self.config.patch)
        x = self.norm(x, "embeddings.layernorm", _EPSILON)
        for stage, depth in enumerate(self.config.depths):
            if stage:
                down = f"encoder.stages.{stage}.downsampling_layer"
                x = self.convolution(self.norm(x, f"{down}.0", _EPSILON), f"{down}.1", 2)
            for layer in range(depth):
                x += self._block(x, f"encoder.stages.{stage}.layers.{layer}")
        return self.norm(tf.reduce_mean(x, [1, 2]), "layernorm", self.config.epsilon)

    def _block(self, x: tf.Tensor, block: str) -> tf.Tensor:
        mixed = self.norm(self.depthwise(x, f"{block}.dwconv", 1), f"{block}.layernorm", _EPSILON)
        flat = tf.reshape(mixed, [-1, x.shape[-1]])
        y = self.dense(self.config.activation(self.dense(flat, f"{block}.pwconv1")), f"{block}.pwconv2")
        if self.config.scales:
            y *= self.weight(f"{block}.layer_scale_parameter")
        return tf.reshape(y, tf.shape(x))


def read_convnext(directory: Path) -> ConvNext:
    """Read a ConvNeXt.

    Raises:
        InputMissingError, ArtifactError: as `read_encoder_config` and `read_picture_tensors`.
    """
    config = _convnext_config(read_encoder_config(directory), directory / CONFIG)
    return ConvNext(config, read_picture_tensors(directory, convnext_shapes(config), _PREFIXES))


def _convnext_config(values: Mapping[str, Any], path: Path) -> ConvNextConfig:
    require_values(values, {"num_channels": 3}, path)
    depths, widths = values.get("depths", _DEPTHS), values.get("hidden_sizes", _WIDTHS)
    if not all(isinstance(sizes, list | tuple) for sizes in (depths, widths)) or len(depths) != len(widths):
        raise ArtifactError(f"{path}: 'depths' and 'hidden_sizes' do not fit each other; choose another encoder")
    for name, sizes, largest in (("depths", depths, MAX_LAYERS), ("hidden_sizes", widths, 1 << 14)):
        for size in sizes:
            integer({name: size}, name, path, largest)
    epsilon = values.get("layer_norm_eps", 1e-12)
    if not depths or not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ArtifactError(f"{path}: has no stages, or an unusual 'layer_norm_eps'; choose another encoder")
    scale = values.get("layer_scale_init_value", 1e-6)
    return ConvNextConfig(
        size=read_preparation(path.parent).size,
        patch=integer({"patch_size": 4, **values}, "patch_size", path),
        widths=widths,
        depths=depths,
        epsilon=epsilon,
        activation=activation_of(values, ACTIVATIONS, "gelu", path),
        scales=isinstance(scale, int | float) and scale > 0,
    )


def convnext_shapes(config: ConvNextConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by its plain name."""
    first, last = config.widths[0], config.widths[-1]
    shapes = affine("embeddings.patch_embeddings", first, 3, config.patch, config.patch)
    shapes |= affine("embeddings.layernorm", first) | affine("layernorm", last)
    for stage, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
        if stage:
            down, before = f"encoder.stages.{stage}.downsampling_layer", config.widths[stage - 1]
            shapes |= affine(f"{down}.0", before) | affine(f"{down}.1", width, before, 2, 2)
        for layer in range(depth):
            block = f"encoder.stages.{stage}.layers.{layer}"
            shapes |= affine(f"{block}.dwconv", width, 1, _KERNEL, _KERNEL) | affine(f"{block}.layernorm", width)
            shapes |= affine(f"{block}.pwconv1", 4 * width, width) | affine(f"{block}.pwconv2", width, 4 * width)
            if config.scales:
                shapes[f"{block}.layer_scale_parameter"] = (width,)
    return shapes
