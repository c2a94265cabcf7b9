"""Decoder families: the sizes in `config.json`, KerasHub's backbone, and the names and layouts of their tensors.

GPT-2: Radford et al. 2019; Llama: Touvron et al. 2023, whose layout SmolLM has; Qwen: Yang et al. 2024 and 2025; Gemma:
Gemma Team 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import ArtifactError


class TensorLayout(NamedTuple):
    """How one tensor of a checkpoint becomes kernels, and back; `shapes` are those of the kernels."""

    split: Callable[[np.ndarray, list[tuple[int, ...]]], list[np.ndarray]]
    join: Callable[[list[np.ndarray], tuple[int, ...]], np.ndarray]


def _split_columns(tensor: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    widths = [int(np.prod(shape)) // int(np.prod(tensor.shape[:-1])) for shape in shapes]
    if sum(widths) != tensor.shape[-1]:
        raise ValueError(f"{tensor.shape[-1]} columns, not {sum(widths)}")
    parts = np.split(tensor, np.cumsum(widths)[:-1], axis=-1)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _join_columns(kernels: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([kernel.reshape(*shape[:-1], -1) for kernel in kernels], axis=-1)


def _split_heads(tensor: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    ((heads, hidden, size),) = shapes
    return [tensor.reshape(heads, size, hidden).transpose(0, 2, 1)]


# A matrix [inputs, outputs] of one or several kernels, or a vector; its transpose; a transpose of one matrix per head.
COLUMNS = TensorLayout(_split_columns, _join_columns)
TRANSPOSED = TensorLayout(
    lambda tensor, shapes: _split_columns(tensor.T, shapes),
    lambda kernels, shape: np.ascontiguousarray(_join_columns(kernels, shape[::-1]).T),
)
HEADS = TensorLayout(
    _split_heads, lambda kernels, shape: np.ascontiguousarray(kernels[0].transpose(0, 2, 1)).reshape(shape)
)


class DecoderTensor(NamedTuple):
    """A tensor of a layer: its module, the paths of the kernels in the layer, and its layout."""

    name: str
    kernels: tuple[str, ...]
    layout: TensorLayout = COLUMNS


@dataclass(frozen=True)
class DecoderFamily:
    """An entry of DECODERS."""

    backbone: str  # class of keras_hub.models
    prefix: str  # of all tensors in checkpoints with a head
    words: str
    positions: str | None  # table of positions; None if they are rotations
    layer: str  # {} stands for its number
    tensors: tuple[DecoderTensor, ...]  # of a layer
    norm: tuple[str, ...]  # final norm: scale and, if it has one, shift
    sizes: Callable[[dict[str, Any]], dict[str, Any]]  # arguments of the backbone; may raise KeyError, ValueError
    max_length: str  # key of config.json
    adapted: dict[str, tuple[str, ...]]  # LoRA target -> layers of kernels
    scales_words: bool = False  # whether embeddings are multiplied by the root of their width


def _gpt2_sizes(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("activation_function", "gelu_new") not in ("gelu_new", "gelu_pytorch_tanh"):
        raise ValueError(f"activation_function {values['activation_function']} is not supported")
    if values.get("layer_norm_epsilon", 1e-5) != 1e-5 or values.get("scale_attn_by_inverse_layer_idx"):
        raise ValueError("layer_norm_epsilon must be 1e-5, and scale_attn_by_inverse_layer_idx false")
    return {
        "vocabulary_size": values["vocab_size"],
        "num_layers": values["n_layer"],
        "num_heads": values["n_head"],
        "hidden_dim": values["n_embd"],
        "intermediate_dim": values.get("n_inner") or 4 * values["n_embd"],
        "max_sequence_length": values["n_positions"],
        "dropout": 0.0,
    }


def _llama_sizes(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("hidden_act", "silu") != "silu" or values.get("attention_bias") or values.get("mlp_bias"):
        raise ValueError("hidden_act must be silu, and attention_bias and mlp_bias false")
    heads, hidden = values["num_attention_heads"], values["hidden_size"]
    if (values.get("head_dim") or hidden // heads) * heads != hidden:
        raise ValueError("hidden_size must be head_dim times num_attention_heads")
    return {**_common_sizes(values), **_rotation(values), "layer_norm_epsilon": values["rms_norm_eps"]}


def _qwen2_sizes(values: dict[str, Any]) -> dict[str, Any]:
    return {**_llama_sizes(values), "use_sliding_window": _no_window(values)}


def _qwen3_sizes(values: dict[str, Any]) -> dict[str, Any]:
    _no_window(values)
    plain = {**_common_sizes(values), **_rotation(values), "layer_norm_epsilon": values["rms_norm_eps"]}
    return {**plain, "head_dim": values["head_dim"], "sliding_window_size": None}


def _gemma_sizes(values: dict[str, Any]) -> dict[str, Any]:
    activation = values.get("hidden_activation") or "gelu_pytorch_tanh"  # what transformers reads in older files too
    if activation != "gelu_pytorch_tanh" or _rotation(values) != {"rope_max_wavelength": 10000.0}:
        raise ValueError("hidden_activation must be gelu_pytorch_tanh, and rope_theta 10000")
    sizes = {**_common_sizes(values), "head_dim": values["head_dim"], "layer_norm_epsilon": values["rms_norm_eps"]}
    del sizes["tie_word_embeddings"]
    return {**sizes, "intermediate_dim": 2 * values["intermediate_size"]}


def _common_sizes(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "vocabulary_size": values["vocab_size"],
        "num_layers": values["num_hidden_layers"],
        "num_query_heads": values["num_attention_heads"],
        "num_key_value_heads": values.get("num_key_value_heads") or values["num_attention_heads"],
        "hidden_dim": values["hidden_size"],
        "intermediate_dim": values["intermediate_size"],
        "tie_word_embeddings": True,  # the other table predicts tokens and is not needed
    }


def _no_window(values: dict[str, Any]) -> bool:
    if values.get("use_sliding_window"):
        raise ValueError("use_sliding_window is not supported")
    return False


def _rotation(values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of rotary positions (Su et al. 2021), with the scaling of Llama 3.1."""
    said = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    rotation = {"rope_max_wavelength": float(said.get("rope_theta") or values.get("rope_theta") or 10000)}
    kind = said.get("rope_type", said.get("type", "default"))
    if kind == "default":
        return rotation
    if kind != "llama3" or values["model_type"] != "llama":
        raise ValueError(f"rope_type {kind} is not supported")
    return {
        **rotation,
        "rope_frequency_adjustment_factor": said["factor"],
        "rope_low_freq_factor": said["low_freq_factor"],
        "rope_high_freq_factor": said["high_freq_factor"],
        "rope_pretraining_sequence_length": said["original_max_position_embeddings"],
    }


def _linear(module: str, layer: str) -> DecoderTensor:
    return DecoderTensor(f"{module}.weight", (f"{layer}.kernel",), TRANSPOSED)


_ATTENTION, _FEED_FORWARD = "_self_attention_layer", "_feedforward"
_GPT2 = DecoderFamily(
    backbone="GPT2Backbone",
    prefix="transformer.",
    words="wte.weight",
    positions="wpe.weight",
    layer="h.{}",
    tensors=(
        *(
            DecoderTensor(f"{name}.{ours}", (f"{layer}.{theirs}",))
            for name, layer in (("ln_1", "_self_attention_layer_norm"), ("ln_2", f"{_FEED_FORWARD}_layer_norm"))
            for ours, theirs in (("weight", "gamma"), ("bias", "beta"))
        ),
        *(
            DecoderTensor(f"{name}.{ours}", tuple(f"{layer}.{theirs}" for layer in layers))
            for name, layers in (
                ("attn.c_attn", tuple(f"{_ATTENTION}._{part}_dense" for part in ("query", "key", "value"))),
                ("attn.c_proj", (f"{_ATTENTION}._output_dense",)),
                ("mlp.c_fc", (f"{_FEED_FORWARD}_intermediate_dense",)),
                ("mlp.c_proj", (f"{_FEED_FORWARD}_output_dense",)),
            )
            for ours, theirs in (("weight", "kernel"), ("bias", "bias"))
        ),
    ),
    norm=("ln_f.weight", "ln_f.bias"),
    sizes=_gpt2_sizes,
    max_length="n_positions",
    adapted={
        "qkv": tuple(f"{_ATTENTION}._{part}_dense" for part in ("query", "key", "value")),
        "output": (f"{_ATTENTION}._output_dense",),
        "up": (f"{_FEED_FORWARD}_intermediate_dense",),
        "down": (f"{_FEED_FORWARD}_output_dense",),
    },
)
_LLAMA = replace(
    _GPT2,
    backbone="Llama3Backbone",
    prefix="model.",
    words="embed_tokens.weight",
    positions=None,
    layer="layers.{}",
    tensors=(
        DecoderTensor("input_layernorm.weight", ("_self_attention_layernorm.scale",)),
        DecoderTensor("post_attention_layernorm.weight", ("_feedforward_layernorm.scale",)),
        *(
            _linear(f"self_attn.{name}_proj", f"{_ATTENTION}._{part}_dense")
            for name, part in (("q", "query"), ("k", "key"), ("v", "value"), ("o", "output"))
        ),
        *(
            _linear(f"mlp.{name}_proj", f"{_FEED_FORWARD}_{part}_dense")
            for name, part in (("gate", "gate"), ("up", "intermediate"), ("down", "output"))
        ),
    ),
    norm=("norm.weight",),
    sizes=_llama_sizes,
    max_length="max_position_embeddings",
    adapted={**_GPT2.adapted, "up": (f"{_FEED_FORWARD}_gate_dense", f"{_FEED_FORWARD}_intermediate_dense")},
)
_QWEN2 = replace(
    _LLAMA,
    backbone="QwenBackbone",
    tensors=(
        *_LLAMA.tensors,
        *(
            DecoderTensor(f"self_attn.{name}_proj.bias", (f"{_ATTENTION}._{part}_dense.bias",))
            for name, part in (("q", "query"), ("k", "key"), ("v", "value"))
        ),
    ),
    sizes=_qwen2_sizes,
)
_QWEN3 = replace(
    _LLAMA,
    backbone="Qwen3Backbone",
    tensors=(
        *_LLAMA.tensors,
        DecoderTensor("self_attn.q_norm.weight", (f"{_ATTENTION}._query_dense_layer_norm.scale",)),
        DecoderTensor("self_attn.k_norm.weight", (f"{_ATTENTION}._key_dense_layer_norm.scale",)),
    ),
    sizes=_qwen3_sizes,
)
_GEMMA = replace(
    _LLAMA,
    backbone="GemmaBackbone",
    tensors=(
        DecoderTensor("input_layernorm.weight", ("pre_attention_norm.scale",)),
        DecoderTensor("post_attention_layernorm.weight", ("pre_ffw_norm.scale",)),
        *(
            DecoderTensor(f"self_attn.{name}_proj.weight", (f"attention.{part}_dense.kernel",), HEADS)
            for name, part in (("q", "query"), ("k", "key"), ("v", "value"))
        ),
        _linear("self_attn.o_proj", "attention.output_dense"),
        _linear("mlp.gate_proj", "gating_ffw"),
        _linear("mlp.up_proj", "gating_ffw_2"),
        _linear("mlp.down_proj", "ffw_linear"),
    ),
    sizes=_gemma_sizes,
    adapted={
        "qkv": tuple(f"attention.{part}_dense" for part in ("query", "key", "value")),
        "output": ("attention.output_dense",),
        "up": ("gating_ffw", "gating_ffw_2"),
        "down": ("ffw_linear",),
    },
    scales_words=True,
)
DECODERS: dict[str, DecoderFamily] = {
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "qwen2": _QWEN2,
    "qwen3": _QWEN3,
    "gemma": _GEMMA,
}


def decoder_sizes(family: DecoderFamily, values: dict[str, Any], path: Path) -> tuple[dict[str, Any], int]:
    """Return the arguments of the backbone, and the maximum number of tokens of a text.

    Raises:
        ArtifactError: an option is not supported, or a size is missing or not a whole number above 0.
    """
    try:
        sizes, longest = family.sizes(values), values[family.max_length]
    except KeyError as error:
        raise ArtifactError(f"{path}: lacks {error.args[0]}; fetch the encoder again") from error
    except (ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ArtifactError(f"{path}: {error}; choose another encoder") from error
    counts = [longest, *(value for key, value in sizes.items() if key.startswith(("num_", "hidden", "inter", "vocab")))]
    if not all(isinstance(count, int) and 0 < count <= 10**8 for count in counts) or sizes["num_layers"] > 1000:
        raise ArtifactError(f"{path}: sizes must be whole numbers above 0, and plausible; fetch the encoder again")
    return sizes, longest
