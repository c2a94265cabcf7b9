"""The registry of encoders by the `model_type` of their `config.json`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from interestrec.io.encoder_files import CONFIG, pick_model_type, read_encoder_config
from interestrec.model.decoder_checkpoint import read_decoder
from interestrec.model.decoder_families import DECODERS
from interestrec.model.encoder import Encoder, StoredEncoder
from interestrec.model.encoder_checkpoint import read_checkpoint
from interestrec.model.families import FAMILIES
from interestrec.model.static_checkpoint import STATIC_LAYOUTS, read_static


class EncoderKind(NamedTuple):
    """An entry of ENCODERS."""

    read: Callable[[Path], StoredEncoder]  # reads the encoder's directory


# The BERT family is one network under several names, whose differences are in FAMILIES; likewise the tables of token
# embeddings, by STATIC_LAYOUTS, and the decoders, by DECODERS.
ENCODERS: dict[str, EncoderKind] = {
    **dict.fromkeys(FAMILIES, EncoderKind(read_checkpoint)),
    **dict.fromkeys(STATIC_LAYOUTS, EncoderKind(read_static)),
    **dict.fromkeys(DECODERS, EncoderKind(read_decoder)),
}


def read_encoder(directory: Path) -> StoredEncoder:
    """Read the encoder of a directory in Hugging Face layout.

    Raises:
        InputMissingError: the directory or a file is missing.
        ArtifactError: this release does not support the encoder, or its files do not fit each other.
    """
    return pick_model_type(ENCODERS, read_encoder_config(directory), directory / CONFIG).read(directory)


def load_encoder(directory: Path, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Encoder:
    """Read an encoder's directory and build its network; errors as in `read_encoder`, arguments as in
    `StoredEncoder.build`."""
    return read_encoder(directory).build(rate, pooling, precision)
