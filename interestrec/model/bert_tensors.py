"""The weights of a network of the BERT family by their Hugging Face names: shapes, assignment and export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from interestrec.core.errors import ArtifactError
from interestrec.io.encoder_files import WEIGHTS
from interestrec.model.bert_config import BertConfig
from interestrec.model.pooling import QUERY

if TYPE_CHECKING:
    from interestrec.model.bert import Bert


def expected_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every encoder tensor by its Hugging Face name."""
    hidden, inner, width, family = config.hidden_size, config.intermediate_size, config.embedding_width, config.family
    tables: dict[str, tuple[int, ...]] = {
        "words": (config.vocab_size, width),
        "positions": (config.max_position_embeddings, width),
        "segments": (config.type_vocab_size, width),
        "relative": (config.relative_buckets, config.num_attention_heads),
    }
    shapes = {name: tables.get(weight, (width,)) for weight, name in family.embeddings.items()}
    if config.has_projection:
        shapes |= {f"{family.projection}.weight": (hidden, width), f"{family.projection}.bias": (hidden,)}
    sizes = {"qkv": (hidden, hidden), "output": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
    for layer in config.stored_layers:
        prefix = family.layer.format(layer)
        for matrix, modules in family.dense.items():
            for module in modules:
                shapes[f"{prefix}.{module}.weight"] = sizes[matrix]
                shapes[f"{prefix}.{module}.bias"] = sizes[matrix][:1]
        for module in family.norm.values():
            shapes[f"{prefix}.{module}.weight"] = (hidden,)
            shapes[f"{prefix}.{module}.bias"] = (hidden,)
    return shapes


def assign(bert: Bert, tensors: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a built network from tensors by their Hugging Face names."""
    for weight, name in bert.config.family.embeddings.items():
        getattr(bert, weight).assign(tensors[name])
    if bert.config.has_projection:
        bert.projection.assign(tensors[f"{bert.config.family.projection}.weight"].T)
        bert.projection_bias.assign(tensors[f"{bert.config.family.projection}.bias"])
    assign_layers(bert, tensors, bert.config.stored_layers)


def assign_layers(bert: Bert, tensors: Mapping[str, np.ndarray], layers: Iterable[int]) -> None:
    """Set the weights of some blocks from the output of `export_layers`."""
    family = bert.config.family
    for layer in layers:
        block, prefix = bert.blocks[layer], family.layer.format(layer)
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
    family = bert.config.family
    embeddings = {name: getattr(bert, weight).numpy() for weight, name in family.embeddings.items()}
    if bert.config.has_projection:
        embeddings[f"{family.projection}.weight"] = np.ascontiguousarray(bert.projection.numpy().T)
        embeddings[f"{family.projection}.bias"] = bert.projection_bias.numpy()
    return {**embeddings, **export_layers(bert, bert.config.stored_layers)}


def export_layers(bert: Bert, layers: Iterable[int]) -> dict[str, np.ndarray]:
    """Return the weights of some blocks by their Hugging Face names."""
    family = bert.config.family
    tensors = {}
    for layer in layers:
        block, prefix = bert.blocks[layer], family.layer.format(layer)
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
    query = {} if bert.query is None else {QUERY: bert.query.numpy()}
    return {**export_layers(bert, _stored(bert.config, layers)), **query}


def _stored(config: BertConfig, layers: int) -> range:
    """Return the numbers under which the top `layers` blocks are stored."""
    stored = config.stored_layers
    return stored[: min(layers, 1)] if config.family.shares_layer else stored[len(stored) - layers :]


def assign_learned(bert: Bert, tensors: Mapping[str, np.ndarray]) -> int:
    """Set weights from `export_learned` and return the number of top blocks among them.

    Raises:
        ArtifactError: the tensors are not those of this encoder's top blocks.
    """
    config, shapes = bert.config, expected_shapes(bert.config)
    blocks = {name: value for name, value in tensors.items() if name != QUERY}
    layers = [
        n for n in config.stored_layers if any(name.startswith(f"{config.family.layer.format(n)}.") for name in blocks)
    ]
    count = config.num_hidden_layers if layers and config.family.shares_layer else len(layers)
    expected = _layer_names(config, _stored(config, count))
    if blocks.keys() != expected or any(value.shape != shapes[name] for name, value in blocks.items()):
        raise ArtifactError(f"{WEIGHTS}: the layers stored with the model do not fit this encoder; finetune again")
    assign_layers(bert, blocks, layers)
    if bert.query is not None and QUERY in tensors:
        bert.query.assign(tensors[QUERY])
    return count


def _layer_names(config: BertConfig, layers: Iterable[int]) -> set[str]:
    """Return the names of the tensors of some blocks."""
    prefixes = tuple(f"{config.family.layer.format(layer)}." for layer in layers)
    return {name for name in expected_shapes(config) if name.startswith(prefixes)}
