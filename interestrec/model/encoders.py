"""The registry of encoders by the `model_type` of their `config.json`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from interestrec.core.choices import pick
from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, require_encoder
from interestrec.model.encoder import Encoder, StoredEncoder
from interestrec.model.encoder_checkpoint import read_checkpoint
from interestrec.model.families import FAMILIES


class EncoderKind(NamedTuple):
    """An entry of ENCODERS."""

    read: Callable[[Path], StoredEncoder]  # reads the encoder's directory


# The BERT family is one network under several names; FAMILIES holds the differences.
ENCODERS: dict[str, EncoderKind] = {**dict.fromkeys(FAMILIES, EncoderKind(read_checkpoint))}


def read_encoder(directory: Path) -> StoredEncoder:
    """Read the encoder of a directory in Hugging Face layout.

    Raises:
        InputMissingError: the directory or a file is missing.
        ArtifactError: this release does not support the encoder, or its files do not fit each other.
    """
    require_encoder(directory)
    path = directory / CONFIG
    values = files.read_json(path)
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: is not the configuration of an encoder; choose another encoder")
    try:
        kind = pick(ENCODERS, str(values.get("model_type")), "model_type")
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}") from error
    return kind.read(directory)


def load_encoder(directory: Path, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Encoder:
    """Read an encoder's directory and build its network; errors as in `read_encoder`, arguments as in
    `StoredEncoder.build`."""
    return read_encoder(directory).build(rate, pooling, precision)
