"""Encoder families that share one network: the names that their checkpoints use.

BERT: Devlin et al. 2019; RoBERTa: Liu et al. 2019; XLM-R: Conneau et al. 2020; DistilBERT: Sanh et al. 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from interestrec.core.choices import pick
from interestrec.core.errors import ArtifactError, ConfigError


@dataclass(frozen=True)
class EncoderFamily:
    """Names of one family in Hugging Face layout; every module has a `.weight` and a `.bias`."""

    prefix: str  # of the encoder's tensors in checkpoints with a head
    sizes: Mapping[str, str]  # field of BertConfig -> key of config.json
    defaults: Mapping[str, Any]  # field -> value if config.json lacks it
    supported_values: Mapping[str, Any]  # key of config.json -> its only supported value, the default
    positions_after_padding: bool  # positions count from pad_token_id + 1
    embeddings: Mapping[str, str]  # weight of Bert -> tensor
    layer: str  # module of all blocks
    dense: Mapping[str, tuple[str, ...]]  # matrix of a block -> modules whose outputs are concatenated
    norm: Mapping[str, str]  # LayerNorm of a block -> module
    head: Mapping[str, str]  # weight of MaskedLmHead -> tensor
    # Copies of the tied decoder that some checkpoints store. Training changes the word embeddings but not these copies,
    # so they are never written; loaders tie the decoder again.
    tied_copies: tuple[str, ...]


_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
_REALS = ("layer_norm_eps", "initializer_range")
_MAX_SIZE, _MAX_LAYERS = 10**8, 1000  # beyond any trained encoder
_EMBEDDINGS = {
    "words": "embeddings.word_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "gamma": "embeddings.LayerNorm.weight",
    "beta": "embeddings.LayerNorm.bias",
}

_BERT = EncoderFamily(
    prefix="bert.",
    sizes={name: name for name in (*_SIZES, *_REALS)},
    defaults={"layer_norm_eps": 1e-12, "initializer_range": 0.02, "type_vocab_size": 2},
    supported_values={"hidden_act": "gelu", "position_embedding_type": "absolute"},
    positions_after_padding=False,
    embeddings={**_EMBEDDINGS, "segments": "embeddings.token_type_embeddings.weight"},
    layer="encoder.layer",
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
    supported_values={"activation": "gelu", "position_embedding_type": "absolute"},
    positions_after_padding=False,
    embeddings=_EMBEDDINGS,
    layer="transformer.layer",
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
FAMILIES: dict[str, EncoderFamily] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": _DISTILBERT,
}


def read_sizes(values: Any, path: Path) -> dict[str, Any]:
    """Return the fields of BertConfig from the content of `config.json`.

    Raises:
        ArtifactError: the family or an option is not supported, or a size is missing or invalid.
    """
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: is not the configuration of an encoder; choose another encoder")
    name = str(values.get("model_type"))
    try:
        family = pick(FAMILIES, name, "model_type")
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}") from error
    for key, supported in family.supported_values.items():
        if values.get(key, supported) != supported:
            raise ArtifactError(
                f"{path}: {key} is '{values[key]}', but only '{supported}' is supported; choose another encoder"
            )
    stored = {field: values[key] for field, key in family.sizes.items() if key in values}
    sizes = {**family.defaults, **stored, "model_type": name}
    missing = [key for field, key in family.sizes.items() if field not in sizes]
    if missing:
        raise ArtifactError(f"{path}: lacks {', '.join(missing)}; fetch the encoder again")
    sizes["first_position"] = _padding(values, path) + 1 if family.positions_after_padding else 0
    _check(sizes, family, path)
    return sizes


def _padding(values: dict[str, Any], path: Path) -> int:
    padding = values.get("pad_token_id", 1)
    if not isinstance(padding, int) or padding < 0:
        raise ArtifactError(
            f"{path}: pad_token_id is {padding} instead of a whole number >= 0; fetch the encoder again"
        )
    return padding


def _check(sizes: dict[str, Any], family: EncoderFamily, path: Path) -> None:
    counts = [sizes[field] for field in family.sizes if field not in _REALS]
    valid = all(isinstance(count, int) and 0 < count <= _MAX_SIZE for count in counts)
    if not valid or sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ArtifactError(
            f"{path}: sizes must be from 1 to {_MAX_SIZE:.0e}, and hidden_size a multiple of the number of heads; "
            "fetch it again"
        )
    if sizes["num_hidden_layers"] > _MAX_LAYERS or not all(_is_small(sizes[field]) for field in _REALS):
        raise ArtifactError(
            f"{path}: has more than {_MAX_LAYERS} layers, or {' or '.join(_REALS)} is not from 0 to 1; fetch it again"
        )
    if sizes["max_position_embeddings"] <= sizes["first_position"]:
        raise ArtifactError(f"{path}: max_position_embeddings leaves no position for a token; fetch it again")


def _is_small(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
