"""Tiny random picture encoders in Hugging Face layout, and pictures in every format."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from interestrec.model.convnext import _convnext_config, convnext_shapes
from interestrec.model.efficientnet_lite import efficientnet_shapes
from interestrec.model.vision_transformer import _vision_config, vision_shapes

SIZE, HIDDEN, LAYERS, HEADS, PATCH = 32, 16, 2, 2, 8
PROJECTED = 12

_VISION: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "intermediate_size": 32,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "image_size": SIZE,
    "patch_size": PATCH,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {**_VISION, "qkv_bias": True, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "clip_vision_model": {**_VISION, "projection_dim": PROJECTED},
    "clip": {"vision_config": {**_VISION, "projection_dim": PROJECTED}, "projection_dim": PROJECTED},
    "siglip_vision_model": _VISION,
    "siglip": {"vision_config": _VISION},
    "convnext": {"hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 2, 1], "num_stages": 4, "image_size": SIZE},
    "efficientnet-lite0": {},
}
_PREFIXES = {"vit": "vit.", "clip": "vision_model.", "siglip": "vision_model."}
_PREPARATION = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": SIZE, "width": SIZE},
    "resample": 3,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
}


def write(directory: Path, kind: str, seed: int = 3, projection: bool = False, **config: Any) -> Path:
    """An encoder of pictures of 32 pixels; with `projection`, CLIP's into the space of texts."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {"model_type": kind, **CONFIGS[kind], **config}
    (directory / "config.json").write_text(json.dumps(values))
    (directory / "preprocessor_config.json").write_text(json.dumps(_PREPARATION))
    path = directory / "config.json"
    if kind == "convnext":
        shapes = convnext_shapes(_convnext_config(values, path))
    elif kind == "efficientnet-lite0":
        shapes = efficientnet_shapes()
    else:
        shapes = vision_shapes(_vision_config(values, path))
    rng = np.random.default_rng(seed)
    prefix = _PREFIXES.get(kind, "")
    tensors = {f"{prefix}{name}": _random(name, shape, rng) for name, shape in shapes.items()}
    if projection:
        tensors["visual_projection.weight"] = _random("visual_projection.weight", (PROJECTED, HIDDEN), rng)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def _random(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Values that keep activations near 1, norms near the identity."""
    inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 25
    return rng.normal(float("norm" in name and "weight" in name), inputs**-0.5, shape).astype(np.float32)


def pixels(count: int, size: int = SIZE, seed: int = 5) -> np.ndarray:
    """Prepared pictures, float32 [count, size, size, 3]."""
    return np.random.default_rng(seed).normal(size=(count, size, size, 3)).astype(np.float32)


def picture(height: int = 48, width: int = 72, seed: int = 0) -> np.ndarray:
    """A picture of squares of 8 pixels, uint8 [height, width, 3]."""
    squares = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    return np.kron(squares, np.ones((8, 8, 1))).astype(np.uint8)[:height, :width]


def saved(levels: np.ndarray, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """The bytes of a picture as Pillow writes them."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(levels).convert(mode).save(target, kind, **options)
    return target.getvalue()
