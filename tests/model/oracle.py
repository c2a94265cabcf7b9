"""KerasHub's backbones with the weights of a checkpoint in Hugging Face layout."""

from typing import Any

import keras
import numpy as np
from scipy.special import erf

Tensors = dict[str, np.ndarray]
Config = dict[str, Any]

# Modules of a block in the order of `fill_block`: query, key, value, output, norm, up, down, norm.
BERT = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
DISTILBERT = (
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)
ALBERT = (
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.dense",
    "attention.LayerNorm",
    "ffn",
    "ffn_output",
    "full_layer_layer_norm",
)


def fill_block(block: Any, tensors: Tensors, prefix: str, modules: tuple[str, ...], heads: int) -> None:
    """Set the weights of a TransformerEncoder from the modules `prefix.<module>`."""
    pairs = [(tensors[f"{prefix}.{name}.weight"], tensors[f"{prefix}.{name}.bias"]) for name in modules]
    attention, hidden = block._self_attention_layer, len(pairs[0][1])
    dense = (attention._query_dense, attention._key_dense, attention._value_dense)
    for layer, (kernel, bias) in zip(dense, pairs[:3], strict=True):
        layer.set_weights([kernel.T.reshape(hidden, heads, -1), bias.reshape(heads, -1)])
    attention._output_dense.set_weights([pairs[3][0].T.reshape(heads, -1, hidden), pairs[3][1]])
    block._self_attention_layer_norm.set_weights(pairs[4])
    block._feedforward_intermediate_dense.set_weights([pairs[5][0].T, pairs[5][1]])
    block._feedforward_output_dense.set_weights([pairs[6][0].T, pairs[6][1]])
    block._feedforward_layer_norm.set_weights(pairs[7])
    # KerasHub approximates GELU of some families by tanh; the checkpoints were trained with the exact one.
    block._feedforward_intermediate_dense.activation = keras.activations.gelu


def hidden_states(config: Config, tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Output for plain tensor names, of KerasHub's backbone or, for MPNet, which it lacks, of the paper's formulas."""
    own = {"albert": _albert, "electra": _electra, "mpnet": mpnet}
    return own.get(config["model_type"], _keras_hub)(config, tensors, ids, mask)


def _segments(tensors: Tensors) -> list[np.ndarray]:
    return [tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]


def _fill_embeddings(model: keras.Model, tensors: Tensors) -> None:
    for name, table in zip(("token", "position", "segment"), _segments(tensors), strict=True):
        model.get_layer(f"{name}_embedding").set_weights([table])
    norm = [tensors[f"embeddings.LayerNorm.{name}"] for name in ("weight", "bias")]
    model.get_layer("embeddings_layer_norm").set_weights(norm)


def _albert(config: Config, tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Output of AlbertBackbone."""
    from keras_hub.models import AlbertBackbone

    words, places, segments = _segments(tensors)
    model = AlbertBackbone(
        vocabulary_size=len(words),
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        embedding_dim=words.shape[1],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
        max_sequence_length=len(places),
        num_segments=len(segments),
    )
    _fill_embeddings(model, tensors)
    mapping = "encoder.embedding_hidden_mapping_in"
    model.get_layer("embedding_projection").set_weights([tensors[f"{mapping}.weight"].T, tensors[f"{mapping}.bias"]])
    block = model.get_layer("group_0_inner_layer_0")
    prefix = "encoder.albert_layer_groups.0.albert_layers.0"
    fill_block(block, tensors, prefix, ALBERT, config["num_attention_heads"])
    if config["hidden_act"] == "gelu_new":
        block._feedforward_intermediate_dense.activation = lambda x: keras.activations.gelu(x, approximate=True)
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}
    return model(inputs)["sequence_output"].numpy()


def _electra(config: Config, tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Output of ElectraBackbone."""
    from keras_hub.models import ElectraBackbone

    words, places, segments = _segments(tensors)
    model = ElectraBackbone(
        vocab_size=len(words),
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        embedding_dim=words.shape[1],
        intermediate_dim=config["intermediate_size"],
        dropout=0.0,
        max_sequence_length=len(places),
        num_segments=len(segments),
    )
    _fill_embeddings(model, tensors)
    projection = [tensors["embeddings_project.weight"].T, tensors["embeddings_project.bias"]]
    model.get_layer("embeddings_projection").set_weights(projection)
    for number in range(config["num_hidden_layers"]):
        block = model.get_layer(f"transformer_layer_{number}")
        fill_block(block, tensors, f"encoder.layer.{number}", BERT, config["num_attention_heads"])
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}
    return model(inputs)["sequence_output"].numpy()


def mpnet(config: Config, tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """MPNet (Song et al. 2020) in NumPy, text by text, with the relative positions of T5 (Raffel et al. 2020)."""
    heads = config["num_attention_heads"]
    table = tensors["encoder.relative_attention_bias.weight"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + config["layer_norm_eps"])
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def bucket(offset: int) -> int:
        distance = abs(offset)
        if distance >= 8:
            distance = min(8 + int(np.log(distance / 8) / np.log(128 / 8) * 8), 15)
        return distance + 16 * (offset > 0)

    output = np.zeros((*ids.shape, config["hidden_size"]), np.float32)
    for row, count in enumerate(mask.sum(axis=1).astype(int)):
        words = tensors["embeddings.word_embeddings.weight"][ids[row, :count]]
        x = norm(words + tensors["embeddings.position_embeddings.weight"][2 : 2 + count], "embeddings.LayerNorm")
        bias = np.array([[table[bucket(key - query)] for key in range(count)] for query in range(count)])
        for number in range(config["num_hidden_layers"]):
            block = f"encoder.layer.{number}"
            parts = [dense(x, f"{block}.attention.attn.{name}").reshape(count, heads, -1) for name in "qkv"]
            scores = np.einsum("qhd,khd->hqk", *parts[:2]) / np.sqrt(parts[0].shape[2]) + bias.transpose(2, 0, 1)
            share = np.exp(scores - scores.max(-1, keepdims=True))
            share /= share.sum(-1, keepdims=True)
            context = np.einsum("hqk,khd->qhd", share, parts[2]).reshape(count, -1)
            x = norm(x + dense(context, f"{block}.attention.attn.o"), f"{block}.attention.LayerNorm")
            inner = dense(x, f"{block}.intermediate.dense")
            inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
            x = norm(x + dense(inner, f"{block}.output.dense"), f"{block}.output.LayerNorm")
        output[row, :count] = x
    return output


def _keras_hub(config: Config, tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Output of RobertaBackbone, XLMRobertaBackbone or DistilBertBackbone."""
    from keras_hub import models

    distil = config["model_type"] == "distilbert"
    words, places = (tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
    if not distil:  # row 1 is the position of padding; KerasHub counts from 0 and has no segments
        places = places[2:] + tensors["embeddings.token_type_embeddings.weight"][0]
    layers, heads, inner = (
        config[key]
        for key in (
            ("n_layers", "n_heads", "hidden_dim")
            if distil
            else ("num_hidden_layers", "num_attention_heads", "intermediate_size")
        )
    )
    backbones = {
        "roberta": models.RobertaBackbone,
        "xlm-roberta": models.XLMRobertaBackbone,
        "distilbert": models.DistilBertBackbone,
    }
    model = backbones[config["model_type"]](
        vocabulary_size=len(words),
        num_layers=layers,
        num_heads=heads,
        hidden_dim=words.shape[1],
        intermediate_dim=inner,
        dropout=0.0,
        max_sequence_length=len(places),
    )
    model.embeddings.token_embedding.set_weights([words])
    model.embeddings.position_embedding.set_weights([places])
    model.embeddings_layer_norm.set_weights([tensors[f"embeddings.LayerNorm.{name}"] for name in ("weight", "bias")])
    for number, block in enumerate(model.transformer_layers):
        prefix = f"transformer.layer.{number}" if distil else f"encoder.layer.{number}"
        fill_block(block, tensors, prefix, DISTILBERT if distil else BERT, heads)
    return model({"token_ids": ids, "padding_mask": mask}).numpy()
