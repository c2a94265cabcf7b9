"""Checkpoints in Hugging Face layout: reading, checking and exporting their tensors."""

from collections.abc import Iterable, Mapping
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

_MAX_POSITIONS = 512  # of a new encoder, as in BERT
_MAX_EXTRA_BYTES = 1 << 20  # for small tensors such as position ids
_QUERY = "pooling.query"  # of attention pooling, which the Hugging Face layout does not have


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
    return {"model_type": config.model_type, **sizes, **family.supported_values, **padding}


def _plain_name(name: str, config: BertConfig) -> str:
    """Remove the prefix from a tensor's name and replace the LayerNorm names of old checkpoints."""
    plain = name.removeprefix(config.family.prefix)
    return plain.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def expected_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every encoder tensor by its Hugging Face name."""
    hidden, inner, family = config.hidden_size, config.intermediate_size, config.family
    rows = {"words": config.vocab_size, "positions": config.max_position_embeddings, "segments": config.type_vocab_size}
    shapes: dict[str, tuple[int, ...]] = {
        name: (rows[weight], hidden) if weight in rows else (hidden,) for weight, name in family.embeddings.items()
    }
    sizes = {"qkv": (hidden, hidden), "output": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
    for layer in range(config.num_hidden_layers):
        for matrix, modules in family.dense.items():
            for module in modules:
                shapes[f"{family.layer}.{layer}.{module}.weight"] = sizes[matrix]
                shapes[f"{family.layer}.{layer}.{module}.bias"] = sizes[matrix][:1]
        for module in family.norm.values():
            shapes[f"{family.layer}.{layer}.{module}.weight"] = (hidden,)
            shapes[f"{family.layer}.{layer}.{module}.bias"] = (hidden,)
    return shapes


def assign(bert: Bert, tensors: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a built network from tensors by their Hugging Face names."""
    for weight, name in bert.config.family.embeddings.items():
        getattr(bert, weight).assign(tensors[name])
    assign_layers(bert, tensors, range(bert.config.num_hidden_layers))


def assign_layers(bert: Bert, tensors: Mapping[str, np.ndarray], layers: Iterable[int]) -> None:
    """Set the weights of some blocks from the output of `export_layers`."""
    family = bert.config.family
    for layer in layers:
        block, prefix = bert.blocks[layer], f"{family.layer}.{layer}"
        for matrix, modules in family.dense.items():
            kernels = [tensors[f"{prefix}.{module}.weight"].T for module in modules]
            biases = [tensors[f"{prefix}.{module}.bias"] for module in modules]
            getattr(block, f"{matrix}_kernel").assign(np.concatenate(kernels, axis=1))
            getattr(block, f"{matrix}_bias").assign(np.concatenate(biases))
        for norm, module in family.norm.items():
            getattr(block, f"{norm}_gamma").assign(tensors[f"{prefix}.{module}.weight"])
            getattr(block, f"{norm}_beta").assign(tensors[f"{prefix}.{module}.bias"])


def export(bert: Bert) -> dict[str, np.ndarray]:
    """Return the weights of a network by their Hugging Face names; the inverse of `assign`."""
    embeddings = {name: getattr(bert, weight).numpy() for weight, name in bert.config.family.embeddings.items()}
    return {**embeddings, **export_layers(bert, range(bert.config.num_hidden_layers))}


def export_layers(bert: Bert, layers: Iterable[int]) -> dict[str, np.ndarray]:
    """Return the weights of some blocks by their Hugging Face names."""
    family = bert.config.family
    tensors = {}
    for layer in layers:
        block, prefix = bert.blocks[layer], f"{family.layer}.{layer}"
        for matrix, modules in family.dense.items():
            kernels = np.split(block.merged_kernel(matrix), len(modules), axis=1)
            biases = np.split(getattr(block, f"{matrix}_bias").numpy(), len(modules))
            for module, kernel, bias in zip(modules, kernels, biases, strict=True):
                tensors[f"{prefix}.{module}.weight"] = np.ascontiguousarray(kernel.T)
                tensors[f"{prefix}.{module}.bias"] = bias
        for norm, module in family.norm.items():
            tensors[f"{prefix}.{module}.weight"] = getattr(block, f"{norm}_gamma").numpy()
            tensors[f"{prefix}.{module}.bias"] = getattr(block, f"{norm}_beta").numpy()
    return tensors


def export_learned(bert: Bert, layers: int) -> dict[str, np.ndarray]:
    """Return the weights of the top `layers` blocks and the query of attention pooling, which finetune trains."""
    count = bert.config.num_hidden_layers
    query = {} if bert.query is None else {_QUERY: bert.query.numpy()}
    return {**export_layers(bert, range(count - layers, count)), **query}


def assign_learned(bert: Bert, tensors: Mapping[str, np.ndarray]) -> int:
    """Set weights from `export_learned` and return the number of top blocks among them.

    Raises:
        ArtifactError: the tensors are not those of this encoder's top blocks.
    """
    shapes = expected_shapes(bert.config)
    family, count = bert.config.family, bert.config.num_hidden_layers
    blocks = {name: value for name, value in tensors.items() if name != _QUERY}
    layers = sorted({int(name.removeprefix(f"{family.layer}.").split(".")[0]) for name in blocks})
    if layers != list(range(count - len(layers), count)) or any(v.shape != shapes.get(n) for n, v in blocks.items()):
        raise ArtifactError(f"{WEIGHTS}: the layers stored with the model do not fit this encoder; finetune again")
    assign_layers(bert, blocks, layers)
    if bert.query is not None and _QUERY in tensors:
        bert.query.assign(tensors[_QUERY])
    return len(layers)
