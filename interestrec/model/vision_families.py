"""Layouts of vision transformers: the names of their tensors, and what differs in their computation."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class VisionFamily:
    """Names of one layout, and the defaults of its configuration."""

    prefixes: tuple[str, ...]  # before all names, in files of the encoder alone or with heads
    patches: str  # the convolution that embeds patches
    patches_have_bias: bool
    class_token: str  # the row before the patches; '' if there is none
    class_shape: tuple[int, ...]  # its leading axes
    positions: str
    positions_shape: tuple[int, ...]
    layer: str
    parts: Mapping[str, str]  # of a block
    norm_before: str  # before the blocks; '' if there is none
    norm_after: str
    epsilon: float
    activation: str
    head: str = ""  # attention over the patches with a learned query; '' = the class token is the vector
    projection: str = ""  # of the vector into the space of texts, if the file has it


_OF_CLIP = {"query": "self_attn.q_proj", "key": "self_attn.k_proj", "value": "self_attn.v_proj"}
_OF_CLIP |= {"output": "self_attn.out_proj", "up": "mlp.fc1", "down": "mlp.fc2"}
_OF_CLIP |= {"norm_attention": "layer_norm1", "norm_feed_forward": "layer_norm2"}
_OF_VIT = {name: f"attention.attention.{name}" for name in ("query", "key", "value")}
_OF_VIT |= {"output": "attention.output.dense", "up": "intermediate.dense", "down": "output.dense"}
_OF_VIT |= {"norm_attention": "layernorm_before", "norm_feed_forward": "layernorm_after"}

_VIT = VisionFamily(
    prefixes=("", "vit."),
    patches="embeddings.patch_embeddings.projection",
    patches_have_bias=True,
    class_token="embeddings.cls_token",
    class_shape=(1, 1),
    positions="embeddings.position_embeddings",
    positions_shape=(1,),
    layer="encoder.layer",
    parts=_OF_VIT,
    norm_before="",
    norm_after="layernorm",
    epsilon=1e-12,
    activation="gelu",
)
_CLIP = VisionFamily(
    prefixes=("vision_model.", ""),
    patches="embeddings.patch_embedding",
    patches_have_bias=False,
    class_token="embeddings.class_embedding",
    class_shape=(),
    positions="embeddings.position_embedding.weight",
    positions_shape=(),
    layer="encoder.layers",
    parts=_OF_CLIP,
    norm_before="pre_layrnorm",
    norm_after="post_layernorm",
    epsilon=1e-5,
    activation="quick_gelu",
    projection="visual_projection",
)
_SIGLIP = VisionFamily(
    prefixes=("vision_model.", ""),
    patches="embeddings.patch_embedding",
    patches_have_bias=True,
    class_token="",
    class_shape=(),
    positions="embeddings.position_embedding.weight",
    positions_shape=(),
    layer="encoder.layers",
    parts=_OF_CLIP,
    norm_before="",
    norm_after="post_layernorm",
    epsilon=1e-6,
    activation="gelu_pytorch_tanh",
    head="head",
)
VISION_FAMILIES = {
    "vit": _VIT,
    "clip_vision_model": _CLIP,
    "clip": _CLIP,
    "siglip_vision_model": _SIGLIP,
    "siglip": _SIGLIP,
}
