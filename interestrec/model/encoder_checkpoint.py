"""Checkpoints of the BERT family in Hugging Face layout: reading, checking and creating them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encoder_files import WEIGHTS
from interestrec.io.tensors import FLOATS, TensorHeader, read_tensor_headers
from interestrec.model.bert import Bert
from interestrec.model.bert_config import BertConfig, read_config
from interestrec.model.bert_tensors import assign, expected_shapes

_MAX_POSITIONS = 512  # of a new encoder, as in BERT
_MAX_EXTRA_BYTES = 1 << 20  # for small tensors such as position ids


@dataclass(frozen=True)
class EncoderCheckpoint:
    """A StoredEncoder of the BERT family: its sizes, its tensors and each tensor's name in the file."""

    config: BertConfig
    tensors: dict[str, np.ndarray]  # by names without the family's prefix
    names: dict[str, str]

    def build(self, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Bert:
        """See StoredEncoder."""
        bert = Bert(self.config, rate, pooling, precision)
        bert.build()
        assign(bert, self.tensors)
        return bert

    def stored(self, learned: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See StoredEncoder; copies of the word embeddings are omitted if anything was learned."""
        copies = self.config.family.tied_copies if learned else ()
        tensors = {name: value for name, value in self.tensors.items() if name not in copies}
        return {self.names[name]: value for name, value in {**tensors, **learned}.items()}


def read_checkpoint(directory: Path) -> EncoderCheckpoint:
    """Read all tensors of a checkpoint; those of the encoder are checked.

    Raises:
        InputMissingError, ArtifactError: as in `read_config`, or a tensor is missing, misshapen or not finite.
    """
    config = read_config(directory)
    path = directory / WEIGHTS
    _require_plausible(path, config)
    content = files.read_safetensors(path)
    stored = {_plain_name(name, config): name for name in content}
    if len(stored) < len(content):
        raise ArtifactError(f"{path}: has tensors both with and without '{config.family.prefix}'; fetch it again")
    tensors = {name: content[original] for name, original in stored.items()}
    for name, shape in expected_shapes(config).items():
        if name not in tensors:
            raise ArtifactError(
                f"{path}: has no tensor '{name}' and is not a {config.model_type} checkpoint; choose another encoder"
            )
        if tensors[name].shape != shape:
            raise ArtifactError(
                f"{path}: tensor '{name}' has shape {tensors[name].shape}, config.json says {shape}; fetch it again"
            )
        if not np.isfinite(tensors[name]).all():
            raise ArtifactError(f"{path}: tensor '{name}' has values that are not finite; fetch it again")
    return EncoderCheckpoint(config, tensors, stored)


def _require_plausible(path: Path, config: BertConfig) -> None:
    """Check the types and the total size in the header before any tensor is read.

    A file may hold heads and copies of the word embeddings too; together they are never larger than the encoder.
    """
    tensors, expected = read_tensor_headers(path), expected_shapes(config)
    names = {_plain_name(name, config): name for name in tensors}
    for name in expected.keys() & names.keys():
        if tensors[names[name]].type not in FLOATS:
            raise ArtifactError(
                f"{path}: tensor '{name}' has type {tensors[names[name]].type}, not a float type; fetch it again"
            )
    expected_bytes = sum(TensorHeader("F32", shape).bytes for shape in expected.values())
    if sum(tensor.bytes for tensor in tensors.values()) > 4 * expected_bytes + _MAX_EXTRA_BYTES:
        raise ArtifactError(f"{path}: is several times as large as config.json implies; fetch it again")


def new_checkpoint(config: BertConfig, seed: int) -> EncoderCheckpoint:
    """Create an untrained encoder with the tensors of `expected_shapes`.

    Matrices are drawn from a normal distribution with scale `initializer_range`, truncated at two scales as in BERT
    (Devlin et al. 2019), so their standard deviation is 0.88 of it. Biases are 0 and LayerNorms are the identity.
    There is no pooler, because texts are mean-pooled here.

    Args:
        seed: equal seeds give equal bits.
    """
    rng = np.random.default_rng(seed)
    shapes = expected_shapes(config)
    tensors = {name: _initial(name, shape, config.initializer_range, rng) for name, shape in shapes.items()}
    return EncoderCheckpoint(config, tensors, {name: name for name in tensors})


def scratch_checkpoint(
    rows: int, layers: int, hidden: int, heads: int, intermediate: int, seed: int
) -> EncoderCheckpoint:
    """Create an untrained BERT for a tokenizer.

    Args:
        rows: number of word embeddings, at least the tokenizer's vocabulary.
        layers, hidden, heads, intermediate: as in the `pretrain_adapt.scratch` settings.
    """
    config = BertConfig(
        vocab_size=rows,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=_MAX_POSITIONS,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        initializer_range=0.02,
    )
    return new_checkpoint(config, seed)


def _initial(name: str, shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> np.ndarray:
    if len(shape) == 1:  # LayerNorm's scale starts at 1, biases at 0
        return np.full(shape, float(name.endswith(".weight")), np.float32)
    values = rng.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(np.count_nonzero(outside), np.float32)
    return values * np.float32(deviation)


def config_content(config: BertConfig) -> dict[str, Any]:
    """Return the content of `config.json` for these sizes, as `read_config` and transformers read it.

    Other settings, such as dropout, keep the defaults of transformers.
    """
    family = config.family
    sizes = {key: getattr(config, field) for field, key in family.sizes.items()}
    padding = {"pad_token_id": config.first_position - 1} if family.positions_after_padding else {}
    options = {key: values[0] for key, values in family.supported_values.items()}
    return {"model_type": config.model_type, **sizes, **options, **padding}


def _plain_name(name: str, config: BertConfig) -> str:
    """Remove the prefix from a tensor's name and replace the LayerNorm names of old checkpoints."""
    plain = name.removeprefix(config.family.prefix)
    return plain.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
