"""A network of the BERT family as an ONNX graph with products of 8-bit integers; see `int8_nodes`.

Attention, normalisation and sums stay float32, and so do the matrices of the values: with them in integers, the
smallest cosine of 4,090 MIND titles by MiniLM-L6 to their float32 vectors was 0.989, without 0.994. Operations of
onnxruntime join what belongs together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from interestrec.model.int8_nodes import MICROSOFT, Int8Nodes
from interestrec.model.relative_positions import relative_bias

if TYPE_CHECKING:
    from interestrec.model.bert import Bert
    from interestrec.model.bert_layer import BertLayer

_BEYOND = 8  # positions of padding that a batch may have beyond the longest text, see `text_inputs.batches`
_INT32 = 6  # of onnx.TensorProto


def bert_int8_graph(bert: Bert) -> bytes:
    """Return the graph of `Bert.call` with the current weights; see Encoder.int8_graph."""
    nodes, config = Int8Nodes(), bert.config
    first, axis = nodes.constant("first", np.array([0])), nodes.constant("axis", np.array([0]))
    length = nodes.node("Shape", "ids", start=1, end=2)
    positions = bert.positions.numpy()[config.first_position :]
    if config.type_vocab_size:
        positions = positions + bert.segments.numpy()[0]
    positions = nodes.constant("positions", np.pad(positions, [(0, _BEYOND), (0, 0)]))
    x = nodes.node("Gather", nodes.constant("words", bert.words.numpy()), "ids")
    x = nodes.node("Add", x, nodes.node("Slice", positions, first, length, axis))
    gamma, beta = nodes.constant("gamma", bert.gamma.numpy()), nodes.constant("beta", bert.beta.numpy())
    x = nodes.node("LayerNormalization", x, gamma, beta, epsilon=config.layer_norm_eps)
    if config.has_projection:
        x = nodes.product(nodes.integers(x), "projection", bert.projection.numpy())
        x = nodes.node("Add", x, nodes.constant("projection_bias", bert.projection_bias.numpy()))
    mask, relative = nodes.node("Cast", "mask", to=_INT32), ""
    if config.relative_buckets:
        table = relative_bias(bert.relative.value, config.max_length + _BEYOND).numpy()
        ends, axes = nodes.node("Concat", length, length, axis=0), nodes.constant("square", np.array([2, 3]))
        starts = nodes.constant("corner", np.array([0, 0]))
        relative = nodes.node("Slice", nodes.constant("relative", table), starts, ends, axes)
    for number, block in enumerate(bert.blocks):
        stored = 0 if config.family.shares_layer else number
        x = _block(nodes, block, f"layer_{stored}", x, mask, relative)
    return nodes.model(nodes.token_inputs(), x, config.hidden_size)


def _block(nodes: Int8Nodes, block: BertLayer, name: str, x: str, mask: str, relative: str) -> str:
    """Add a block; `mask` is int32 [texts, length], `relative` float32 [1, heads, length, length] or ""."""
    config = block.config

    def vector(weight: str) -> str:
        return nodes.constant(f"{name}/{weight}", getattr(block, weight).numpy())

    def dense(of: str, matrix: str) -> str:
        return nodes.product(nodes.integers(of), f"{name}/{matrix}", block.merged_kernel(matrix))

    def residual(of: str, matrix: str, norm: str) -> str:
        weights = vector(f"{norm}_gamma"), vector(f"{norm}_beta"), vector(f"{matrix}_bias")
        added = dense(of, matrix)
        return nodes.node("SkipLayerNormalization", added, x, *weights, domain=MICROSOFT, epsilon=config.layer_norm_eps)

    read = nodes.integers(x)
    query, key, value = np.split(block.merged_kernel("qkv"), 3, axis=1)
    qkv = (
        nodes.product(read, f"{name}/query", query),
        nodes.product(read, f"{name}/key", key),
        nodes.node("MatMul", x, nodes.constant(f"{name}/value", value)),
    )
    attended = nodes.node(
        "MultiHeadAttention",
        *qkv,
        vector("qkv_bias"),
        mask,
        *((relative,) if relative else ()),
        domain=MICROSOFT,
        num_heads=config.num_attention_heads,
    )
    x = residual(attended, "output", "attention")
    gelu = "FastGelu" if config.approximate_gelu else "BiasGelu"
    inner = nodes.node(gelu, dense(x, "up"), vector("up_bias"), domain=MICROSOFT)
    return residual(inner, "down", "feed_forward")
