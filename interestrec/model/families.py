"""Encoder families that share one network: the names that their checkpoints use.

BERT: Devlin et al. 2019; RoBERTa: Liu et al. 2019; XLM-R: Conneau et al. 2020; DistilBERT: Sanh et al. 2019; ELECTRA:
Clark et al. 2020; ALBERT: Lan et al. 2020; MPNet: Song et al. 2020.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class EncoderFamily:
    """Names of one family in Hugging Face layout; every module has a `.weight` and a `.bias`."""

    prefix: str  # of the encoder's tensors in checkpoints with a head
    sizes: Mapping[str, str]  # field of BertConfig -> key of config.json
    defaults: Mapping[str, Any]  # field -> value if config.json lacks it
    supported_values: Mapping[str, tuple[Any, ...]]  # key of config.json -> its supported values, the default first
    positions_after_padding: bool  # positions count from pad_token_id + 1
    embeddings: Mapping[str, str]  # weight of Bert -> tensor
    layer: str  # module of a block; {} stands for its number
    dense: Mapping[str, tuple[str, ...]]  # matrix of a block -> modules whose outputs are concatenated
    norm: Mapping[str, str]  # LayerNorm of a block -> module
    head: Mapping[str, str]  # weight of MaskedLmHead -> tensor
    # Copies of the tied decoder that some checkpoints store. Training changes the word embeddings but not these copies,
    # so they are never written; loaders tie the decoder again.
    tied_copies: tuple[str, ...]
    projection: str | None = None  # module from the width of the embeddings to that of the blocks
    always_projects: bool = False  # whether the projection is there even if both widths are equal
    shares_layer: bool = False  # whether all blocks are one, run repeatedly


_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
REALS = ("layer_norm_eps", "initializer_range")
_EMBEDDINGS = {
    "words": "embeddings.word_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "gamma": "embeddings.LayerNorm.weight",
    "beta": "embeddings.LayerNorm.bias",
}

_BERT = EncoderFamily(
    prefix="bert.",
    sizes={name: name for name in (*_SIZES, *REALS)},
    defaults={"layer_norm_eps": 1e-12, "initializer_range": 0.02, "type_vocab_size": 2},
    supported_values={"hidden_act": ("gelu",), "position_embedding_type": ("absolute",)},
    positions_after_padding=False,
    embeddings={**_EMBEDDINGS, "segments": "embeddings.token_type_embeddings.weight"},
    layer="encoder.layer.{}",
    dense={
        "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
        "output": ("attention.output.dense",),
        "up": ("intermediate.dense",),
        "down": ("output.dense",),
    },
    norm={"attention": "attention.output.LayerNorm", "feed_forward": "output.LayerNorm"},
    head={
        "kernel": "cls.predictions.transform.dense.weight",
        "kernel_bias": "cls.predictions.transform.dense.bias",
        "gamma": "cls.predictions.transform.LayerNorm.weight",
        "beta": "cls.predictions.transform.LayerNorm.bias",
        "bias": "cls.predictions.bias",
    },
    tied_copies=("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"),
)
_ROBERTA = replace(
    _BERT,
    prefix="roberta.",
    positions_after_padding=True,
    head={
        "kernel": "lm_head.dense.weight",
        "kernel_bias": "lm_head.dense.bias",
        "gamma": "lm_head.layer_norm.weight",
        "beta": "lm_head.layer_norm.bias",
        "bias": "lm_head.bias",
    },
    tied_copies=("lm_head.decoder.weight", "lm_head.decoder.bias"),
)
_DISTILBERT = EncoderFamily(
    prefix="distilbert.",
    sizes={
        "vocab_size": "vocab_size",
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "max_position_embeddings": "max_position_embeddings",
        "initializer_range": "initializer_range",
    },
    defaults={"layer_norm_eps": 1e-12, "initializer_range": 0.02, "type_vocab_size": 0},
    supported_values={"activation": ("gelu",), "position_embedding_type": ("absolute",)},
    positions_after_padding=False,
    embeddings=_EMBEDDINGS,
    layer="transformer.layer.{}",
    dense={
        "qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "output": ("attention.out_lin",),
        "up": ("ffn.lin1",),
        "down": ("ffn.lin2",),
    },
    norm={"attention": "sa_layer_norm", "feed_forward": "output_layer_norm"},
    head={
        "kernel": "vocab_transform.weight",
        "kernel_bias": "vocab_transform.bias",
        "gamma": "vocab_layer_norm.weight",
        "beta": "vocab_layer_norm.bias",
        "bias": "vocab_projector.bias",
    },
    tied_copies=("vocab_projector.weight",),
)
_ELECTRA = replace(
    _BERT,
    prefix="electra.",
    sizes={**_BERT.sizes, "embedding_size": "embedding_size"},
    defaults={**_BERT.defaults, "embedding_size": 128},
    head={  # of a generator; discriminators, the usual encoders, have none
        "kernel": "generator_predictions.dense.weight",
        "kernel_bias": "generator_predictions.dense.bias",
        "gamma": "generator_predictions.LayerNorm.weight",
        "beta": "generator_predictions.LayerNorm.bias",
        "bias": "generator_lm_head.bias",
    },
    tied_copies=("generator_lm_head.weight",),
    projection="embeddings_project",
)
_ALBERT = replace(
    _BERT,
    prefix="albert.",
    sizes=_ELECTRA.sizes,
    defaults=_ELECTRA.defaults,
    supported_values={
        "hidden_act": ("gelu_new", "gelu"),
        "position_embedding_type": ("absolute",),
        "num_hidden_groups": (1,),
        "inner_group_num": (1,),
    },
    layer="encoder.albert_layer_groups.0.albert_layers.0",
    dense={
        "qkv": ("attention.query", "attention.key", "attention.value"),
        "output": ("attention.dense",),
        "up": ("ffn",),
        "down": ("ffn_output",),
    },
    norm={"attention": "attention.LayerNorm", "feed_forward": "full_layer_layer_norm"},
    head={
        "kernel": "predictions.dense.weight",
        "kernel_bias": "predictions.dense.bias",
        "gamma": "predictions.LayerNorm.weight",
        "beta": "predictions.LayerNorm.bias",
        "bias": "predictions.bias",
    },
    tied_copies=("predictions.decoder.weight", "predictions.decoder.bias"),
    projection="encoder.embedding_hidden_mapping_in",
    always_projects=True,
    shares_layer=True,
)
_MPNET = replace(
    _ROBERTA,
    prefix="mpnet.",
    sizes={
        **{name: name for name in (*_SIZES, *REALS) if name != "type_vocab_size"},
        "relative_buckets": "relative_attention_num_buckets",
    },
    defaults={"layer_norm_eps": 1e-12, "initializer_range": 0.02, "type_vocab_size": 0, "relative_buckets": 32},
    supported_values={"hidden_act": ("gelu",)},
    embeddings={**_EMBEDDINGS, "relative": "encoder.relative_attention_bias.weight"},
    dense={
        **_BERT.dense,
        "qkv": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        "output": ("attention.attn.o",),
    },
    norm={"attention": "attention.LayerNorm", "feed_forward": "output.LayerNorm"},
)
FAMILIES: dict[str, EncoderFamily] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": _DISTILBERT,
    "electra": _ELECTRA,
    "albert": _ALBERT,
    "mpnet": _MPNET,
}
