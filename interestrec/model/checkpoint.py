"""Checkpoints in Hugging Face layout: tensor names and shapes, in and out."""

from pathlib import Path

import numpy as np

from interestrec.core import files
from interestrec.core.errors import ArtifactError
from interestrec.model.bert import WEIGHTS, Bert, BertConfig, read_config

# Our weight in a block -> Hugging Face modules whose outputs are concatenated; kernels are transposed there.
_BLOCK_DENSE = {
    "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "output": ("attention.output.dense",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
}
_BLOCK_NORM = {"attention": "attention.output.LayerNorm", "feed_forward": "output.LayerNorm"}
_EMBEDDINGS = {
    "words": "embeddings.word_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "segments": "embeddings.token_type_embeddings.weight",
    "gamma": "embeddings.LayerNorm.weight",
    "beta": "embeddings.LayerNorm.bias",
}


def load_bert(directory: Path, dropout: float = 0.1) -> Bert:
    """Build a BERT from an encoder's directory and load its checked weights.

    Raises:
        InputMissingError, ArtifactError: as `read_config`, or a tensor is missing or has another shape.
    """
    config = read_config(directory)
    tensors = read_tensors(directory, config)
    bert = Bert(config, dropout)
    bert.build()
    assign(bert, tensors)
    return bert


def read_tensors(directory: Path, config: BertConfig) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint under names without the `bert.` prefix, the encoder's checked for shape."""
    path = directory / WEIGHTS
    found = {name.removeprefix("bert."): value for name, value in files.read_safetensors(path).items()}
    for name, shape in expected_shapes(config).items():
        if name not in found:
            raise ArtifactError(f"{path}: has no tensor '{name}'; it is no BERT checkpoint, choose another encoder")
        if found[name].shape != shape:
            raise ArtifactError(
                f"{path}: tensor '{name}' has shape {found[name].shape}, config.json says {shape}; fetch it again"
            )
        if not np.isfinite(found[name]).all():
            raise ArtifactError(f"{path}: tensor '{name}' has values that are not finite; fetch it again")
    return found


def expected_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Shape of every encoder tensor by its Hugging Face name."""
    hidden, inner = config.hidden_size, config.intermediate_size
    rows = {"words": config.vocab_size, "positions": config.max_position_embeddings, "segments": config.type_vocab_size}
    shapes: dict[str, tuple[int, ...]] = {
        name: (rows[ours], hidden) if ours in rows else (hidden,) for ours, name in _EMBEDDINGS.items()
    }
    sizes = {"qkv": (hidden, hidden), "output": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
    for layer in range(config.num_hidden_layers):
        for ours, modules in _BLOCK_DENSE.items():
            for module in modules:
                shapes[f"encoder.layer.{layer}.{module}.weight"] = sizes[ours]
                shapes[f"encoder.layer.{layer}.{module}.bias"] = sizes[ours][:1]
        for module in _BLOCK_NORM.values():
            shapes[f"encoder.layer.{layer}.{module}.weight"] = (hidden,)
            shapes[f"encoder.layer.{layer}.{module}.bias"] = (hidden,)
    return shapes


def assign(bert: Bert, tensors: dict[str, np.ndarray]) -> None:
    """Set the weights of a built BERT from tensors by their Hugging Face names."""
    for ours, name in _EMBEDDINGS.items():
        getattr(bert, ours).assign(tensors[name])
    for layer, block in enumerate(bert.blocks):
        prefix = f"encoder.layer.{layer}"
        for ours, modules in _BLOCK_DENSE.items():
            kernels = [tensors[f"{prefix}.{module}.weight"].T for module in modules]
            biases = [tensors[f"{prefix}.{module}.bias"] for module in modules]
            getattr(block, f"{ours}_kernel").assign(np.concatenate(kernels, axis=1))
            getattr(block, f"{ours}_bias").assign(np.concatenate(biases))
        for ours, module in _BLOCK_NORM.items():
            getattr(block, f"{ours}_gamma").assign(tensors[f"{prefix}.{module}.weight"])
            getattr(block, f"{ours}_beta").assign(tensors[f"{prefix}.{module}.bias"])


def export(bert: Bert) -> dict[str, np.ndarray]:
    """The weights of a BERT as tensors by their Hugging Face names; the inverse of `assign`."""
    tensors = {name: getattr(bert, ours).numpy() for ours, name in _EMBEDDINGS.items()}
    for layer, block in enumerate(bert.blocks):
        prefix = f"encoder.layer.{layer}"
        for ours, modules in _BLOCK_DENSE.items():
            kernels = np.split(getattr(block, f"{ours}_kernel").numpy(), len(modules), axis=1)
            biases = np.split(getattr(block, f"{ours}_bias").numpy(), len(modules))
            for module, kernel, bias in zip(modules, kernels, biases, strict=True):
                tensors[f"{prefix}.{module}.weight"] = np.ascontiguousarray(kernel.T)
                tensors[f"{prefix}.{module}.bias"] = bias
        for ours, module in _BLOCK_NORM.items():
            tensors[f"{prefix}.{module}.weight"] = getattr(block, f"{ours}_gamma").numpy()
            tensors[f"{prefix}.{module}.bias"] = getattr(block, f"{ours}_beta").numpy()
    return tensors
