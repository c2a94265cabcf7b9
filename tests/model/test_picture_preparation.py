"""Preparation of pictures: as transformers and Pillow do it, from the keys that they write."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from interestrec.core.errors import ArtifactError, InputMissingError
from interestrec.model.picture_preparation import read_preparation
from tests.picture_kin import picture

_COLOURS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}


def write(directory: Path, **values: Any) -> Path:
    (directory / "preprocessor_config.json").write_text(json.dumps({**_COLOURS, **values}))
    return directory


def pillow(levels: np.ndarray, target: tuple[int, int], size: int, method: int) -> np.ndarray:
    """Resized to (height, width), then cropped in the middle: levels as float."""
    resized = np.asarray(Image.fromarray(levels).resize(target[::-1], Image.Resampling(method)))
    top, left = (target[0] - size) // 2, (target[1] - size) // 2
    return resized[top : top + size, left : left + size].astype(float)


CASES = [  # keys, target of a picture of 48 × 72, size
    ({"size": {"height": 32, "width": 32}, "resample": 2}, (32, 32), 32),
    ({"size": 32, "feature_extractor_type": "ViTFeatureExtractor"}, (32, 32), 32),
    ({"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}, (40, 60), 32),
    ({"size": 24, "crop_size": 24, "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3}, (24, 36), 24),
    ({"size": {"shortest_edge": 28}, "image_processor_type": "ConvNextImageProcessor"}, (32, 48), 28),
    ({"size": {"shortest_edge": 384}, "image_processor_type": "ConvNextImageProcessor"}, (384, 384), 384),
    ({"size": {"height": 96, "width": 96}, "resample": 1}, (96, 96), 96),
]


@pytest.mark.parametrize(("keys", "target", "size"), CASES)
def test_pictures_are_resized_and_cropped_as_by_pillow(
    tmp_path: Path, keys: dict[str, Any], target: tuple[int, int], size: int
) -> None:
    preparation = read_preparation(write(tmp_path, **keys))
    method = keys.get("resample", 2 if "ViT" in str(keys) else 3)
    ours = preparation.resize(tf.constant(picture())).numpy().astype(float)
    theirs = pillow(picture(), target, size, method)
    assert preparation.size == size
    assert ours.shape == (size, size, 3)
    difference = np.abs(ours - theirs)
    assert difference.max() <= 1
    assert difference.mean() < 0.02


def test_a_picture_of_the_right_size_is_only_cropped(tmp_path: Path) -> None:
    preparation = read_preparation(
        write(tmp_path, size={"shortest_edge": 48}, crop_size={"height": 40, "width": 40}, do_center_crop=True)
    )
    np.testing.assert_array_equal(preparation.resize(tf.constant(picture())).numpy(), picture()[4:44, 16:56])


def test_levels_are_scaled_and_normalised_by_colour(tmp_path: Path) -> None:
    preparation = read_preparation(write(tmp_path, size={"height": 8, "width": 8}))
    levels = tf.constant([[[[0, 51, 255]]]], tf.uint8)
    values = preparation.normalise(levels).numpy()[0, 0, 0]
    np.testing.assert_allclose(values, [-0.5 / 0.2, (0.2 - 0.4) / 0.3, (1 - 0.3) / 0.4], rtol=1e-6)


def test_transformers_prepares_alike(tmp_path: Path) -> None:
    """The image processor of CLIP that needs Pillow only."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    theirs = CLIPImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    theirs.save_pretrained(tmp_path)
    preparation = read_preparation(tmp_path)
    expected = theirs(picture(), return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    ours = preparation.normalise(preparation.resize(tf.constant(picture()))[None]).numpy()[0]
    assert np.abs(ours - expected).max() < 1.1 / 255 / 0.26  # one level


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"size": {"height": 32, "width": 24}}, "no square and no shorter side"),
        ({"size": {"longest_edge": 32}}, "no square"),
        ({"size": {"shortest_edge": 32}}, "without a crop"),
        ({"size": {"height": 32, "width": 32}, "do_center_crop": True, "crop_size": 40}, "crops 40 pixels of 32"),
        ({"size": 10**9}, "no square"),
        ({"size": 32, "resample": 0}, "'resample' is 0"),
        ({"size": 32, "do_normalize": False}, "need this step"),
        ({"size": 32, "rescale_factor": "x"}, "not between 0 and 1"),
        ({"size": 32, "image_mean": [0.5]}, "not three numbers"),
        ({"size": 32, "image_std": [0.5, 0.5, 0]}, "not above 0"),
    ],
)
def test_a_preparation_that_is_not_computed_is_refused(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        read_preparation(write(tmp_path, **keys))


def test_no_preparation(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError):
        read_preparation(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("[]")
    with pytest.raises(ArtifactError, match="not the preparation"):
        read_preparation(tmp_path)
