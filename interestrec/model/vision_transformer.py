"""Vision transformers: ViT (Dosovitskiy et al. 2021), and the picture encoders of CLIP (Radford et al. 2021) and
SigLIP (Zhai et al. 2023).

The three are one network, LayerNorm before each part of a block. VISION_FAMILIES holds the differences: names of
tensors, a norm before the blocks, and how one vector is made of the patches.
"""

from collections.abc import Callable, Mapping
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
from interestrec.model.vision_families import VISION_FAMILIES, VisionFamily


@dataclass(frozen=True)
class VisionConfig:
    """The sizes of a vision transformer."""

    family: VisionFamily
    size: int  # of a picture, in pixels
    patch: int
    hidden: int
    inner: int
    layers: int
    heads: int
    epsilon: float
    activation: Callable
    projected: int  # width of the projection, if the file has it

    @property
    def patches(self) -> int:
        """Number of patches of a picture."""
        return (self.size // self.patch) ** 2


class VisionTransformer(PictureNetwork):
    """A PictureEncoder of patches."""

    def __init__(self, config: VisionConfig, tensors: PictureTensors) -> None:
        projected = f"{config.family.projection}.weight" in tensors.values
        super().__init__(config.size, config.projected if projected else config.hidden, *tensors)
        self.config, self._projected = config, projected

    def vectors(self, pixels: tf.Tensor) -> tf.Tensor:
        """See PictureEncoder: the class token, projected if the file has the projection, or the head's vector."""
        config, family = self.config, self.config.family
        count = tf.shape(pixels)[0]
        x = tf.reshape(self.convolution(pixels, family.patches, config.patch), [count, config.patches, config.hidden])
        if family.class_token:
            token = tf.reshape(self.weight(family.class_token), [1, 1, config.hidden])
            x = tf.concat([tf.tile(token, [count, 1, 1]), x], axis=1)
        x += tf.reshape(self.weight(family.positions), [1, -1, config.hidden])
        length = x.shape[1]
        x = tf.reshape(x, [-1, config.hidden])
        if family.norm_before:
            x = self.norm(x, family.norm_before, config.epsilon)
        for layer in range(config.layers):
            x = self._block(x, f"{family.layer}.{layer}", length)
        if family.head:
            return self._head_vectors(self.norm(x, family.norm_after, config.epsilon), length)
        first = tf.reshape(x, [count, length, config.hidden])[:, 0]
        pooled = self.norm(first, family.norm_after, config.epsilon)
        return self.dense(pooled, family.projection) if self._projected else pooled

    def _block(self, x: tf.Tensor, block: str, length: int) -> tf.Tensor:
        parts = {role: f"{block}.{name}" for role, name in self.config.family.parts.items()}
        normed = self.norm(x, parts["norm_attention"], self.config.epsilon)
        query, key, value = (self._by_head(self.dense(normed, parts[n]), length) for n in ("query", "key", "value"))
        x += self.dense(self._attended(query, key, value), parts["output"])
        normed = self.norm(x, parts["norm_feed_forward"], self.config.epsilon)
        return x + self.dense(self.config.activation(self.dense(normed, parts["up"])), parts["down"])

    def _by_head(self, x: tf.Tensor, length: int) -> tf.Tensor:
        """Divide [pictures × length, hidden] into [pictures, heads, length, size of a head]."""
        heads = self.config.heads
        return tf.transpose(tf.reshape(x, [-1, length, heads, self.config.hidden // heads]), [0, 2, 1, 3])

    def _attended(self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(query * (self.config.hidden // self.config.heads) ** -0.5, key, transpose_b=True)
        context = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), [0, 2, 1, 3])
        return tf.reshape(context, [-1, self.config.hidden])

    def _head_vectors(self, x: tf.Tensor, length: int) -> tf.Tensor:
        """Attend to the patches with a learned query, then a feed-forward part (SigLIP's head)."""
        head, hidden = self.config.family.head, self.config.hidden
        kernels = tf.split(self.weight(f"{head}.attention.in_proj_weight"), 3)
        biases = tf.split(self.weight(f"{head}.attention.in_proj_bias"), 3)
        probe = tf.reshape(self.weight(f"{head}.probe"), [1, hidden])

        def product(values: tf.Tensor, number: int) -> tf.Tensor:
            return tf.matmul(values, kernels[number], transpose_b=True) + biases[number]

        query = self._by_head(product(probe, 0), 1)
        key, value = self._by_head(product(x, 1), length), self._by_head(product(x, 2), length)
        query = tf.tile(query, [tf.shape(key)[0], 1, 1, 1])
        y = self.dense(self._attended(query, key, value), f"{head}.attention.out_proj")
        normed = self.norm(y, f"{head}.layernorm", self.config.epsilon)
        return y + self.dense(self.config.activation(self.dense(normed, f"{head}.mlp.fc1")), f"{head}.mlp.fc2")


def read_vision_transformer(directory: Path) -> VisionTransformer:
    """Read a vision transformer.

    Raises:
        InputMissingError, ArtifactError: as `read_encoder_config` and `read_picture_tensors`.
    """
    config = _vision_config(read_encoder_config(directory), directory / CONFIG)
    family, hidden = config.family, config.hidden
    optional = {f"{family.projection}.weight": (config.projected, hidden)} if family.projection else {}
    return VisionTransformer(config, read_picture_tensors(directory, vision_shapes(config), family.prefixes, optional))


def _vision_config(values: Mapping[str, Any], path: Path) -> VisionConfig:
    family = VISION_FAMILIES[values["model_type"]]
    own = values.get("vision_config", values)  # CLIP and SigLIP with their text encoder
    if not isinstance(own, dict):
        raise ArtifactError(f"{path}: 'vision_config' is not an object; choose another encoder")
    require_values(own, {"num_channels": 3, "qkv_bias": True, "vision_use_head": True}, path)
    hidden, heads = integer(own, "hidden_size", path, 1 << 14), integer(own, "num_attention_heads", path)
    size, patch = integer(own, "image_size", path), integer(own, "patch_size", path)
    if hidden % heads or patch > size:
        raise ArtifactError(f"{path}: its sizes do not fit each other; choose another encoder")
    epsilon = own.get("layer_norm_eps", family.epsilon)
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise ArtifactError(f"{path}: 'layer_norm_eps' is {epsilon!r}, not between 0 and 1; choose another encoder")
    return VisionConfig(
        family=family,
        size=size,
        patch=patch,
        hidden=hidden,
        inner=integer(own, "intermediate_size", path, 1 << 16),
        layers=integer(own, "num_hidden_layers", path, MAX_LAYERS),
        heads=heads,
        epsilon=epsilon,
        activation=activation_of(own, ACTIVATIONS, family.activation, path),
        projected=integer({"projection_dim": 512, **values}, "projection_dim", path, 1 << 14),
    )


def vision_shapes(config: VisionConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor by its plain name."""
    family, hidden, inner = config.family, config.hidden, config.inner
    patch = affine(family.patches, hidden, 3, config.patch, config.patch)
    shapes = patch if family.patches_have_bias else {f"{family.patches}.weight": patch[f"{family.patches}.weight"]}
    if family.class_token:
        shapes[family.class_token] = (*family.class_shape, hidden)
    shapes[family.positions] = (*family.positions_shape, config.patches + bool(family.class_token), hidden)
    for norm in filter(None, (family.norm_before, family.norm_after)):
        shapes |= affine(norm, hidden)
    sizes = dict.fromkeys(("query", "key", "value", "output"), (hidden, hidden))
    sizes |= {"up": (inner, hidden), "down": (hidden, inner)}
    for layer in range(config.layers):
        for role, name in family.parts.items():
            shapes |= affine(f"{family.layer}.{layer}.{name}", *sizes.get(role, (hidden,)))
    if family.head:
        shapes |= {f"{family.head}.probe": (1, 1, hidden), f"{family.head}.attention.in_proj_bias": (3 * hidden,)}
        shapes[f"{family.head}.attention.in_proj_weight"] = (3 * hidden, hidden)
        shapes |= affine(f"{family.head}.attention.out_proj", hidden, hidden) | affine(
            f"{family.head}.layernorm", hidden
        )
        shapes |= affine(f"{family.head}.mlp.fc1", inner, hidden) | affine(f"{family.head}.mlp.fc2", hidden, inner)
    return shapes
