"""The registry of picture encoders by the `model_type` of their `config.json`."""

from collections.abc import Callable
from pathlib import Path

from interestrec.io.efficientnet_files import MODEL_TYPE as EFFICIENTNET_LITE
from interestrec.io.encoder_files import CONFIG, pick_model_type, read_encoder_config
from interestrec.model.convnext import read_convnext
from interestrec.model.efficientnet_lite import read_efficientnet_lite
from interestrec.model.picture_encoder import PictureEncoder
from interestrec.model.vision_families import VISION_FAMILIES
from interestrec.model.vision_transformer import read_vision_transformer

PICTURE_ENCODERS: dict[str, Callable[[Path], PictureEncoder]] = {
    **dict.fromkeys(VISION_FAMILIES, read_vision_transformer),
    "convnext": read_convnext,
    EFFICIENTNET_LITE: read_efficientnet_lite,
}


def load_picture_encoder(directory: Path) -> PictureEncoder:
    """Read the picture encoder of a directory in Hugging Face layout and build its network.

    Raises:
        InputMissingError: the directory or a file is missing.
        ArtifactError: this release does not support the encoder, or its files do not fit each other.
    """
    values = read_encoder_config(directory)
    read = pick_model_type(PICTURE_ENCODERS, values, directory / CONFIG, "model_type of pictures")
    return read(directory)
