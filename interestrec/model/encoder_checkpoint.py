"""Checkpoints in Hugging Face layout: tensor names and shapes, in and out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io import files
from interestrec.io.encoder_files import WEIGHTS
from interestrec.io.tensors import FLOATS, TensorHeader, read_tensor_headers
from interestrec.model.bert import Bert, BertConfig, read_config

_LONGEST = 512  # tokens that a new encoder has positions for, as BERT
_SPARE = 1 << 20  # bytes; of small things such as position ids
_QUERY = "pooling.query"  # of attention pooling, which is no part of an encoder in Hugging Face layout


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
        """See StoredEncoder; where something learned, copies of the word embeddings are left out."""
        copies = self.config.family.copies if learned else ()
        kept = {name: value for name, value in self.tensors.items() if name not in copies}
        return {self.names[name]: value for name, value in {**kept, **learned}.items()}


def read_checkpoint(directory: Path) -> EncoderCheckpoint:
    """All tensors of a checkpoint, the encoder's checked for shape.

    Raises:
        InputMissingError, ArtifactError: as `read_config`, or a tensor is missing or has another shape.
    """
    config = read_config(directory)
    path = directory / WEIGHTS
    _require_plausible(path, config)
    found = files.read_safetensors(path)
    stored = {_plain(name, config): name for name in found}
    if len(stored) < len(found):
        raise ArtifactError(f"{path}: has tensors both with and without '{config.family.prefix}'; fetch it again")
    tensors = {name: found[original] for name, original in stored.items()}
    for name, shape in expected_shapes(config).items():
        if name not in tensors:
            raise ArtifactError(
                f"{path}: has no tensor '{name}'; it is no checkpoint of {config.model_type}, choose another encoder"
            )
        if tensors[name].shape != shape:
            raise ArtifactError(
                f"{path}: tensor '{name}' has shape {tensors[name].shape}, config.json says {shape}; fetch it again"
            )
        if not np.isfinite(tensors[name]).all():
            raise ArtifactError(f"{path}: tensor '{name}' has values that are not finite; fetch it again")
    return EncoderCheckpoint(config, tensors, stored)


def _require_plausible(path: Path, config: BertConfig) -> None:
    """Look at the header before a tensor is read: types, and how much there is beside the encoder.

    Heads and copies of the word embeddings may come with an encoder; together they are never larger than it.
    """
    tensors, expected = read_tensor_headers(path), expected_shapes(config)
    names = {_plain(name, config): name for name in tensors}
    for name in expected.keys() & names.keys():
        if tensors[names[name]].type not in FLOATS:
            raise ArtifactError(f"{path}: tensor '{name}' is of {tensors[names[name]].type}, no floats; fetch it again")
    wanted = sum(TensorHeader("F32", shape).bytes for shape in expected.values())
    if sum(tensor.bytes for tensor in tensors.values()) > 4 * wanted + _SPARE:
        raise ArtifactError(f"{path}: is several times as large as config.json says; fetch it again")


def new_checkpoint(config: BertConfig, seed: int) -> EncoderCheckpoint:
    """An encoder that has learned nothing, with the tensors that `expected_shapes` names.

    Matrices are drawn from a normal distribution of `initializer_range` that is cut off at two of them, as BERT's are
    (Devlin et al. 2019; so the standard deviation is 0.88 of it); biases are 0 and LayerNorms change nothing. There is
    no pooler: texts are mean-pooled here, and whoever loads the file for another purpose trains one.

    Args:
        seed: the same one gives the same bits.
    """
    rng = np.random.default_rng(seed)
    shapes = expected_shapes(config)
    tensors = {name: _initial(name, shape, config.initializer_range, rng) for name, shape in shapes.items()}
    return EncoderCheckpoint(config, tensors, {name: name for name in tensors})


def scratch_checkpoint(
    rows: int, layers: int, hidden: int, heads: int, intermediate: int, seed: int
) -> EncoderCheckpoint:
    """A new BERT for a tokenizer.

    Args:
        rows: of the word embeddings, which the tokenizer needs.
        layers, hidden, heads, intermediate: as in the `pretrain_adapt.scratch` settings.
    """
    config = BertConfig(
        vocab_size=rows,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=_LONGEST,
        type_vocab_size=2,
        layer_norm_eps=1e-12,
        initializer_range=0.02,
    )
    return new_checkpoint(config, seed)


def _initial(name: str, shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> np.ndarray:
    if len(shape) == 1:  # of vectors only LayerNorm's scale is a weight
        return np.full(shape, float(name.endswith(".weight")), np.float32)
    drawn = rng.standard_normal(shape, np.float32)
    while (far := np.abs(drawn) > 2).any():
        drawn[far] = rng.standard_normal(np.count_nonzero(far), np.float32)
    return drawn * np.float32(deviation)


def config_content(config: BertConfig) -> dict[str, Any]:
    """What `config.json` says about an encoder of these sizes; transformers and `read_config` read the same from it.

    Whatever sizes do not tell, such as dropout, is left to the defaults of transformers.
    """
    family = config.family
    sizes = {key: getattr(config, field) for field, key in family.sizes.items()}
    padding = {"pad_token_id": config.first_position - 1} if family.after_padding else {}
    return {"model_type": config.model_type, **sizes, **family.only, **padding}


def _plain(name: str, config: BertConfig) -> str:
    """A tensor's name without the prefix, and with today's words for those that old checkpoints give LayerNorm."""
    plain = name.removeprefix(config.family.prefix)
    return plain.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def expected_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every encoder tensor by its Hugging Face name."""
    hidden, inner, family = config.hidden_size, config.intermediate_size, config.family
    rows = {"words": config.vocab_size, "positions": config.max_position_embeddings, "segments": config.type_vocab_size}
    shapes: dict[str, tuple[int, ...]] = {
        name: (rows[ours], hidden) if ours in rows else (hidden,) for ours, name in family.embeddings.items()
    }
    sizes = {"qkv": (hidden, hidden), "output": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
    for layer in range(config.num_hidden_layers):
        for ours, modules in family.dense.items():
            for module in modules:
                shapes[f"{family.layer}.{layer}.{module}.weight"] = sizes[ours]
                shapes[f"{family.layer}.{layer}.{module}.bias"] = sizes[ours][:1]
        for module in family.norm.values():
            shapes[f"{family.layer}.{layer}.{module}.weight"] = (hidden,)
            shapes[f"{family.layer}.{layer}.{module}.bias"] = (hidden,)
    return shapes


def assign(bert: Bert, tensors: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a built network from tensors by their Hugging Face names."""
    for ours, name in bert.config.family.embeddings.items():
        getattr(bert, ours).assign(tensors[name])
    assign_layers(bert, tensors, range(bert.config.num_hidden_layers))


def assign_layers(bert: Bert, tensors: Mapping[str, np.ndarray], layers: Iterable[int]) -> None:
    """Set the weights of some blocks from what `export_layers` gave."""
    family = bert.config.family
    for layer in layers:
        block, prefix = bert.blocks[layer], f"{family.layer}.{layer}"
        for ours, modules in family.dense.items():
            kernels = [tensors[f"{prefix}.{module}.weight"].T for module in modules]
            biases = [tensors[f"{prefix}.{module}.bias"] for module in modules]
            getattr(block, f"{ours}_kernel").assign(np.concatenate(kernels, axis=1))
            getattr(block, f"{ours}_bias").assign(np.concatenate(biases))
        for ours, module in family.norm.items():
            getattr(block, f"{ours}_gamma").assign(tensors[f"{prefix}.{module}.weight"])
            getattr(block, f"{ours}_beta").assign(tensors[f"{prefix}.{module}.bias"])


def export(bert: Bert) -> dict[str, np.ndarray]:
    """The weights of a network as tensors by their Hugging Face names; the inverse of `assign`."""
    embeddings = {name: getattr(bert, ours).numpy() for ours, name in bert.config.family.embeddings.items()}
    return {**embeddings, **export_layers(bert, range(bert.config.num_hidden_layers))}


def export_layers(bert: Bert, layers: Iterable[int]) -> dict[str, np.ndarray]:
    """The weights of some blocks as tensors by their Hugging Face names."""
    family = bert.config.family
    tensors = {}
    for layer in layers:
        block, prefix = bert.blocks[layer], f"{family.layer}.{layer}"
        for ours, modules in family.dense.items():
            kernels = np.split(block.merged(ours), len(modules), axis=1)
            biases = np.split(getattr(block, f"{ours}_bias").numpy(), len(modules))
            for module, kernel, bias in zip(modules, kernels, biases, strict=True):
                tensors[f"{prefix}.{module}.weight"] = np.ascontiguousarray(kernel.T)
                tensors[f"{prefix}.{module}.bias"] = bias
        for ours, module in family.norm.items():
            tensors[f"{prefix}.{module}.weight"] = getattr(block, f"{ours}_gamma").numpy()
            tensors[f"{prefix}.{module}.bias"] = getattr(block, f"{ours}_beta").numpy()
    return tensors


def export_learned(bert: Bert, layers: int) -> dict[str, np.ndarray]:
    """What finetune changes when the top `layers` blocks learn: their weights, and the query of attention pooling."""
    count = bert.config.num_hidden_layers
    query = {} if bert.query is None else {_QUERY: bert.query.numpy()}
    return {**export_layers(bert, range(count - layers, count)), **query}


def assign_learned(bert: Bert, tensors: Mapping[str, np.ndarray]) -> int:
    """Set what `export_learned` gave; how many of the top blocks that were.

    Raises:
        ArtifactError: the tensors are not those of this encoder's top blocks.
    """
    shapes = expected_shapes(bert.config)
    family, count = bert.config.family, bert.config.num_hidden_layers
    found = {name: value for name, value in tensors.items() if name != _QUERY}
    layers = sorted({int(name.removeprefix(f"{family.layer}.").split(".")[0]) for name in found})
    if layers != list(range(count - len(layers), count)) or any(v.shape != shapes.get(n) for n, v in found.items()):
        raise ArtifactError(f"{WEIGHTS}: what the model learned of its encoder does not fit this encoder")
    assign_layers(bert, found, layers)
    if bert.query is not None and _QUERY in tensors:
        bert.query.assign(tensors[_QUERY])
    return len(layers)
