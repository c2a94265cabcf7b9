"""Preparation of pictures for an encoder, as `preprocessor_config.json` of its directory says: resize, crop, normalise.

The meaning of the keys is that of transformers' image processors. Resizing is antialiased, first the width, then the
height, each rounded to whole levels, as Pillow does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encoder_files import PREPARATION, require_own
from interestrec.model.backend import tf

_METHODS = {1: "lanczos3", 2: "triangle", 3: "keyscubic"}  # kernels of TensorFlow by Pillow's numbers
_CROPLESS = 384  # from this size on, ConvNeXt's preparation does not crop
_CROP_SHARE = 224 / 256
_BY_SHORT_SIDE = ("CLIP", "ConvNext")  # whose size, where it is one number, is the shorter side
_MAX_SIZE = 4096


@dataclass(frozen=True)
class PicturePreparation:
    """From decoded pictures to the input of an encoder."""

    size: int  # width and height of the result
    resized: int  # pixels of the shorter side after resizing, or of both sides
    keeps_proportions: bool
    method: str  # kernel of ScaleAndTranslate
    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def resize(self, picture: tf.Tensor) -> tf.Tensor:
        """Resize and crop one picture, uint8 [height, width, 3], to whole levels, uint8 [size, size, 3]."""
        height, width = picture.shape[:2]
        target = (self.resized, self.resized)
        if self.keeps_proportions:
            short = min(height, width)
            target = (self.resized * height // short, self.resized * width // short)
        top, left = (target[0] - self.size) // 2, (target[1] - self.size) // 2
        if target == (height, width):
            return picture[top : top + self.size, left : left + self.size]
        narrow = self._scaled(picture, (height, self.size), (1.0, target[1] / width), (0.0, -float(left)))
        return self._scaled(narrow, (self.size, self.size), (target[0] / height, 1.0), (-float(top), 0.0))

    def _scaled(
        self, picture: tf.Tensor, size: tuple[int, int], scale: tuple[float, float], shift: tuple[float, float]
    ) -> tf.Tensor:
        """Scale, move and cut a picture, as tf.image.resize does without the cut, and round to levels."""
        kind = self.method
        levels = tf.raw_ops.ScaleAndTranslate(
            images=picture[None], size=size, scale=scale, translation=shift, kernel_type=kind, antialias=True
        )
        return tf.cast(tf.clip_by_value(tf.floor(levels[0] + 0.5), 0, 255), tf.uint8)

    def normalise(self, pictures: tf.Tensor) -> tf.Tensor:
        """Return (scale × level − mean) / deviation of resized pictures, float32 [pictures, size, size, 3]."""
        return (tf.cast(pictures, tf.float32) * self.scale - tf.constant(self.mean)) / tf.constant(self.deviation)


def read_preparation(directory: Path) -> PicturePreparation:
    """Read the preparation of an encoder's directory.

    Raises:
        InputMissingError: the file is missing.
        ArtifactError: it asks for what this release does not do.
    """
    path = directory / PREPARATION
    require_own(directory, [PREPARATION])
    values = files.read_json(path)
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: is not the preparation of pictures; fetch the encoder again")
    kind = str(values.get("image_processor_type") or values.get("feature_extractor_type") or "")
    for step in ("do_resize", "do_normalize", "do_rescale"):
        if values.get(step, True) is not True:
            raise ArtifactError(f"{path}: '{step}' is {values[step]!r}, but pictures need this step")
    size, keeps = _size(values.get("size"), kind, path)
    resized = size
    if "ConvNext" in kind and size < _CROPLESS:
        resized = int(size / _number(values.get("crop_pct") or _CROP_SHARE, path, "crop_pct"))
    elif "ConvNext" in kind:
        keeps = False
    if values.get("do_center_crop", "CLIP" in kind):
        size, _ = _size(values.get("crop_size", size), "", path)
    elif keeps and resized == size:
        raise ArtifactError(f"{path}: keeps the proportions of pictures without a crop, but they need one size")
    if size > resized:
        raise ArtifactError(f"{path}: crops {size} pixels of {resized}; fetch the encoder again")
    method = values.get("resample", 2 if "ViT" in kind else 3)
    if method not in _METHODS:
        raise ArtifactError(f"{path}: 'resample' is {method!r}, known are {', '.join(map(str, _METHODS))}")
    return PicturePreparation(
        size=size,
        resized=resized,
        keeps_proportions=keeps,
        method=_METHODS[method],
        scale=_number(values.get("rescale_factor", 1 / 255), path, "rescale_factor"),
        mean=_colours(values, "image_mean", path),
        deviation=_colours(values, "image_std", path),
    )


def _size(value: Any, kind: str, path: Path) -> tuple[int, bool]:
    """Return a size and whether it is that of the shorter side, with the other side in proportion."""
    keeps = False
    if isinstance(value, Mapping) and value.keys() == {"shortest_edge"}:
        value, keeps = value["shortest_edge"], True
    elif isinstance(value, Mapping) and value.keys() == {"height", "width"} and value["height"] == value["width"]:
        value = value["height"]
    elif isinstance(value, int):
        keeps = kind.startswith(_BY_SHORT_SIDE)
    if type(value) is not int or not 1 <= value <= _MAX_SIZE:
        raise ArtifactError(f"{path}: the size {value!r} is no square and no shorter side; choose another encoder")
    return value, keeps


def _number(value: Any, path: Path, key: str) -> float:
    if not isinstance(value, int | float) or not 0 < value <= 1:
        raise ArtifactError(f"{path}: '{key}' is {value!r}, not between 0 and 1; fetch the encoder again")
    return float(value)


def _colours(values: Mapping[str, Any], key: str, path: Path) -> tuple[float, float, float]:
    """Return one number per colour; a deviation must not be 0."""
    numbers = values.get(key)
    if not isinstance(numbers, list) or len(numbers) != 3 or not all(isinstance(n, int | float) for n in numbers):
        raise ArtifactError(f"{path}: '{key}' is {numbers!r}, not three numbers; fetch the encoder again")
    if key == "image_std" and not all(number > 0 for number in numbers):
        raise ArtifactError(f"{path}: '{key}' has a number that is not above 0; fetch the encoder again")
    red, green, blue = map(float, numbers)
    return red, green, blue
