"""Checkpoints of decoders in Hugging Face layout: reading and checking, and the names of their tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, WEIGHTS, pick_model_type, read_encoder_config
from interestrec.model.decoder import Decoder
from interestrec.model.decoder_families import DECODERS, DecoderFamily, decoder_sizes

LM_HEAD = "lm_head.weight"  # what predicts the next token; absent, or a copy, where the word embeddings do


@dataclass(frozen=True)
class DecoderCheckpoint:
    """A StoredEncoder of a decoder: its sizes, its tensors and each tensor's name in the file."""

    family: DecoderFamily
    sizes: dict[str, Any]  # arguments of KerasHub's backbone
    max_length: int
    tensors: dict[str, np.ndarray]  # by names without the family's prefix
    names: dict[str, str]

    @property
    def ties_words(self) -> bool:
        """Whether the word embeddings predict the next token; not every config.json says so."""
        words = self.tensors[self.family.words]
        return LM_HEAD not in self.tensors or np.array_equal(self.tensors[LM_HEAD], words)

    def build(self, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Decoder:
        """See StoredEncoder.

        Raises:
            ConfigError: KerasHub is not installed.
            ArtifactError: a tensor does not have the shape that `config.json` implies.
        """
        own = None if self.ties_words else self.tensors[LM_HEAD]
        return Decoder(self.family, self.sizes, self.max_length, self.tensors, rate, pooling, precision, lm_head=own)

    def stored(self, learned: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See StoredEncoder; a copy of tied word embeddings is omitted if anything was learned."""
        copies = {LM_HEAD} if learned and self.ties_words else set()
        tensors = {name: value for name, value in self.tensors.items() if name not in copies}
        return {self.names[name]: value for name, value in {**tensors, **learned}.items()}


def read_decoder(directory: Path) -> DecoderCheckpoint:
    """Read all tensors of a decoder; those of the network are checked for presence and for numbers.

    Raises:
        InputMissingError, ArtifactError: a file is missing, or this release cannot run what it describes.
    """
    path, values = directory / WEIGHTS, read_encoder_config(directory)
    family = pick_model_type(DECODERS, values, directory / CONFIG)
    sizes, longest = decoder_sizes(family, values, directory / CONFIG)
    content = files.read_safetensors(path)
    names = {name.removeprefix(family.prefix): name for name in content}
    if len(names) < len(content):
        raise ArtifactError(f"{path}: has tensors both with and without '{family.prefix}'; fetch it again")
    tensors = {name: content[original] for name, original in names.items()}
    for name in tensor_names(family, sizes["num_layers"]):
        if name not in tensors:
            raise ArtifactError(
                f"{path}: has no tensor '{name}' and is not a {values['model_type']} checkpoint; choose another encoder"
            )
        if not np.isfinite(tensors[name].astype(np.float32)).all():
            raise ArtifactError(f"{path}: tensor '{name}' has values that are not finite; fetch it again")
    if tensors[family.words].shape != (sizes["vocabulary_size"], sizes["hidden_dim"]):
        raise ArtifactError(
            f"{path}: tensor '{family.words}' has shape {tensors[family.words].shape}, which is not that of "
            "config.json; fetch it again"
        )
    return DecoderCheckpoint(family, sizes, longest, tensors, names)


def tensor_names(family: DecoderFamily, layers: int) -> list[str]:
    """Return the names of all tensors of a network, without the prefix."""
    tables = [family.words, *([family.positions] if family.positions else []), *family.norm]
    blocks = [f"{family.layer.format(layer)}.{tensor.name}" for layer in range(layers) for tensor in family.tensors]
    return [*tables, *blocks]
