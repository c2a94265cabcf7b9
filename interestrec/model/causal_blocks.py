"""The forward pass of CausalBlock over plain weights, without TensorFlow, for scoring.

Every product is of one history alone, in a shape that its own length determines, so that the bits of a history do not
depend on those beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from interestrec.core.deferred_import import np
from interestrec.core.row_products import one_blas_thread, pair_dots

BLOCK_EPSILON = 1e-6  # of LayerNorm
_MASKED = -1e9  # added to the attention scores of later entries
_LENGTHS = 8  # histories are padded to a multiple of it
_HISTORIES = 64  # that pass the blocks together; more leave the processor's cache

BlockWeights: TypeAlias = "Mapping[str, np.ndarray]"  # of one CausalBlock by name, float32


def block_weights(weights: Mapping[str, np.ndarray], separator: str) -> list[BlockWeights]:
    """Return the weights of the blocks in order, from all weights of a model by `block_<number><separator><name>`."""
    blocks: list[BlockWeights] = []
    while own := {
        name.removeprefix(prefix): value
        for prefix in [f"block_{len(blocks)}{separator}"]
        for name, value in weights.items()
        if name.startswith(prefix)
    }:
        blocks.append(own)
    return blocks


def similar_lengths(length: np.ndarray, most: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield padded lengths, and histories whose own length, int [histories] from 1 to `most`, determines them."""
    padded = np.minimum(-(-length // _LENGTHS) * _LENGTHS, most)
    for width in np.unique(padded):
        rows = np.flatnonzero(padded == width)
        for start in range(0, len(rows), _HISTORIES):
            yield int(width), rows[start : start + _HISTORIES]


@one_blas_thread()
def causal_block(x: np.ndarray, weights: BlockWeights, heads: int, at: np.ndarray | None = None) -> np.ndarray:
    """Return what CausalBlock makes of histories, without dropout; padding stands at the end.

    Args:
        x: float32 [histories, length, width].
        at: int [histories], the entry of each history whose output is wanted; None: those of all.

    Returns:
        float32 [histories, length, width], or [histories, 1, width] with `at`.
    """
    count, length, width = x.shape
    size = width // heads
    kernel, bias = weights["qkv_kernel"], weights["qkv_bias"]
    normed = layer_norm(x, weights["attention_gamma"], weights["attention_beta"])
    later = np.triu(np.full((length, length), _MASKED, np.float32), 1)
    if at is None:
        asked, hidden = normed, later[None, None]
    else:
        rows = np.arange(count)
        x, asked, hidden = x[rows, at][:, None], normed[rows, at][:, None], later[at][:, None, None]
    query = (asked @ kernel[:, :width] + bias[:width]).reshape(count, -1, heads, size).transpose(0, 2, 1, 3)
    others = normed @ kernel[:, width:] + bias[width:]
    key, value = others.reshape(count, length, 2, heads, size).transpose(2, 0, 3, 1, 4)
    score = np.matmul(query * np.float32(size**-0.5), key.swapaxes(2, 3))
    score += hidden
    score -= score.max(axis=-1, keepdims=True)
    np.exp(score, out=score)
    score /= score.sum(axis=-1, keepdims=True)
    context = np.matmul(score, value).transpose(0, 2, 1, 3).reshape(count, -1, width)
    x = x + (context @ weights["output_kernel"] + weights["output_bias"])
    inner = layer_norm(x, weights["feed_forward_gamma"], weights["feed_forward_beta"])
    inner = gelu(inner @ weights["up_kernel"] + weights["up_bias"])
    return x + (inner @ weights["down_kernel"] + weights["down_bias"])


def layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Normalise the last axis to mean 0 and deviation 1, then scale and shift it."""
    width = np.float32(x.shape[-1])
    centred = x - pair_dots(x, np.ones_like(gamma))[..., None] / width
    variance = pair_dots(centred, centred)[..., None] / width
    centred *= 1.0 / np.sqrt(variance + np.float32(BLOCK_EPSILON))
    centred *= gamma
    centred += beta
    return centred


def gelu(x: np.ndarray) -> np.ndarray:
    """Return the Gaussian error linear unit by its approximation with tanh (Hendrycks and Gimpel 2016)."""
    inner = np.square(x)
    inner *= np.float32(0.044715)
    inner += np.float32(1.0)
    inner *= x
    inner *= np.float32(np.sqrt(2.0 / np.pi))
    np.tanh(inner, out=inner)
    inner += np.float32(1.0)
    inner *= x
    inner *= np.float32(0.5)
    return inner
