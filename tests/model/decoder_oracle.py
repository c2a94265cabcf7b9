"""Decoders in NumPy, text by text, from the tensors of a checkpoint in Hugging Face layout and the papers' formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]


def hidden_states(config: dict[str, Any], tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Hidden states after the final norm, [texts, length, hidden]; zeros at padding."""
    tensors = {name.removeprefix("transformer.").removeprefix("model."): t for name, t in tensors.items()}
    network = _gpt2 if config["model_type"] == "gpt2" else _llama
    rows = [network(config, tensors, row[: int(count)]) for row, count in zip(ids, mask.sum(axis=1), strict=True)]
    return np.stack([np.pad(row, ((0, ids.shape[1] - len(row)), (0, 0))) for row in rows])


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Causal attention of [length, heads, size] with fewer heads of keys than of queries: [length, heads × size]."""
    groups = query.shape[1] // key.shape[1]
    output = np.zeros_like(query)
    for head in range(query.shape[1]):
        for place in range(len(query)):
            past = slice(0, place + 1)
            scores = key[past, head // groups] @ query[place, head] / np.sqrt(query.shape[2])
            share = np.exp(scores - scores.max())
            output[place, head] = share / share.sum() @ value[past, head // groups]
    return output.reshape(len(query), -1)


def _tanh_gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def _gpt2(config: dict[str, Any], t: Tensors, ids: np.ndarray) -> np.ndarray:
    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return scaled * t[f"{name}.weight"] + t[f"{name}.bias"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ t[f"{name}.weight"] + t[f"{name}.bias"]

    x = t["wte.weight"][ids] + t["wpe.weight"][: len(ids)]
    for layer in range(config["n_layer"]):
        block = f"h.{layer}"
        parts = np.split(dense(norm(x, f"{block}.ln_1"), f"{block}.attn.c_attn"), 3, axis=-1)
        heads = [part.reshape(len(ids), config["n_head"], -1) for part in parts]
        x = x + dense(_attention(*heads), f"{block}.attn.c_proj")
        x = x + dense(_tanh_gelu(dense(norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc")), f"{block}.mlp.c_proj")
    return norm(x, "ln_f")


def _rotated(x: np.ndarray, base: float) -> np.ndarray:
    """Rotary positions (Su et al. 2021): dimension i and i + size / 2 turn together by place / base^(2 i / size)."""
    half = x.shape[2] // 2
    angles = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
    turns = np.exp(1j * angles)[:, None]
    turned = (x[..., :half] + 1j * x[..., half:]) * turns
    return np.concatenate([turned.real, turned.imag], axis=-1)


def _llama(config: dict[str, Any], t: Tensors, ids: np.ndarray) -> np.ndarray:
    """Llama, Qwen 2 (biases), Qwen 3 (norms of queries and keys) and Gemma (scaled words, GELU, norms around 1)."""
    is_gemma = config["model_type"] == "gemma"

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scaled = x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"])
        return scaled * (is_gemma + t[f"{name}.weight"])

    def heads(x: np.ndarray, name: str) -> np.ndarray:
        y = x @ t[f"{name}_proj.weight"].T + t.get(f"{name}_proj.bias", np.zeros(1))
        y = y.reshape(len(x), -1, config["head_dim"])
        return norm(y, f"{name}_norm") if f"{name}_norm.weight" in t else y

    activation: Callable[[np.ndarray], np.ndarray] = _tanh_gelu if is_gemma else lambda x: x / (1 + np.exp(-x))
    base = config.get("rope_theta", 10000.0)
    x = t["embed_tokens.weight"][ids] * (np.sqrt(config["hidden_size"]) if is_gemma else 1)
    for layer in range(config["num_hidden_layers"]):
        block = f"layers.{layer}"
        y = norm(x, f"{block}.input_layernorm")
        query, key, value = (heads(y, f"{block}.self_attn.{name}") for name in "qkv")
        context = _attention(_rotated(query, base), _rotated(key, base), value)
        x = x + context @ t[f"{block}.self_attn.o_proj.weight"].T
        y = norm(x, f"{block}.post_attention_layernorm")
        gate, up = (y @ t[f"{block}.mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (activation(gate) * up) @ t[f"{block}.mlp.down_proj.weight"].T
    return norm(x, "norm")
