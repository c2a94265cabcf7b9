"""KerasHub's backbones with the weights of a checkpoint in Hugging Face layout."""

from typing import Any

import keras
import numpy as np

Tensors = dict[str, np.ndarray]

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


def hidden_states(config: dict[str, Any], tensors: Tensors, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Output of RobertaBackbone, XLMRobertaBackbone or DistilBertBackbone for plain tensor names."""
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
