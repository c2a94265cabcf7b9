"""Families of encoders that are one network under other names: what their checkpoints call things.

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
    """Names of one family in Hugging Face layout; modules have a `.weight` and a `.bias`."""

    prefix: str  # of the encoder's tensors in checkpoints that have a head
    sizes: Mapping[str, str]  # field of BertConfig -> key of config.json
    defaults: Mapping[str, Any]  # by field: what config.json may leave out, or never says
    only: Mapping[str, Any]  # key of config.json -> its one supported value, also taken where the key is absent
    after_padding: bool  # positions are counted from pad_token_id + 1, the row of padding, on
    embeddings: Mapping[str, str]  # weight of Bert -> tensor
    layer: str  # module of all blocks
    dense: Mapping[str, tuple[str, ...]]  # of a block -> modules whose outputs are concatenated
    norm: Mapping[str, str]  # of a block -> module
    head: Mapping[str, str]  # weight of MaskedLmHead -> tensor
    # Some checkpoints store the tied decoder once more. Training changes the word embeddings, not these copies: they
    # are never written back, and whoever loads the encoder ties the decoder anew.
    copies: tuple[str, ...]


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
_LARGEST, _DEEPEST = 10**8, 1000  # of a size, and of the number of layers, that anyone trained
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
    only={"hidden_act": "gelu", "position_embedding_type": "absolute"},
    after_padding=False,
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
    copies=("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"),
)
_ROBERTA = replace(
    _BERT,
    prefix="roberta.",
    after_padding=True,
    head={
        "kernel": "lm_head.dense.weight",
        "kernel_bias": "lm_head.dense.bias",
        "gamma": "lm_head.layer_norm.weight",
        "beta": "lm_head.layer_norm.bias",
        "bias": "lm_head.bias",
    },
    copies=("lm_head.decoder.weight", "lm_head.decoder.bias"),
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
    only={"activation": "gelu", "position_embedding_type": "absolute"},
    after_padding=False,
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
    copies=("vocab_projector.weight",),
)
FAMILIES: dict[str, EncoderFamily] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "distilbert": _DISTILBERT,
}


def read_sizes(values: Any, path: Path) -> dict[str, Any]:
    """The fields of BertConfig from the content of `config.json`.

    Raises:
        ArtifactError: it is of no family here, needs what this release does not run, or lacks or garbles a size.
    """
    if not isinstance(values, dict):
        raise ArtifactError(f"{path}: not the configuration of an encoder; choose another encoder")
    name = str(values.get("model_type"))
    try:
        family = pick(FAMILIES, name, "model_type")
    except ConfigError as error:
        raise ArtifactError(f"{path}: {error}") from error
    for key, wanted in family.only.items():
        if values.get(key, wanted) != wanted:
            raise ArtifactError(
                f"{path}: {key} is '{values[key]}', only '{wanted}' is supported; choose another encoder"
            )
    found = {field: values[key] for field, key in family.sizes.items() if key in values}
    sizes = {**family.defaults, **found, "model_type": name}
    lacking = [key for field, key in family.sizes.items() if field not in sizes]
    if lacking:
        raise ArtifactError(f"{path}: lacks {', '.join(lacking)}; fetch the encoder again")
    sizes["first_position"] = _padding(values, path) + 1 if family.after_padding else 0
    _check(sizes, family, path)
    return sizes


def _padding(values: dict[str, Any], path: Path) -> int:
    padding = values.get("pad_token_id", 1)
    if not isinstance(padding, int) or padding < 0:
        raise ArtifactError(f"{path}: pad_token_id is {padding}, but positions are counted from it; fetch it again")
    return padding


def _check(sizes: dict[str, Any], family: EncoderFamily, path: Path) -> None:
    counts = [sizes[field] for field in family.sizes if field not in _REALS]
    whole = all(isinstance(count, int) and 0 < count <= _LARGEST for count in counts)
    if not whole or sizes["hidden_size"] % sizes["num_attention_heads"]:
        raise ArtifactError(
            f"{path}: sizes must be positive, at most {_LARGEST:.0e}, and hidden_size divisible by the heads; "
            "fetch it again"
        )
    if sizes["num_hidden_layers"] > _DEEPEST or not all(_is_small(sizes[field]) for field in _REALS):
        raise ArtifactError(
            f"{path}: has more layers than any encoder, or {' or '.join(_REALS)} is no number from 0 to 1"
        )
    if sizes["max_position_embeddings"] <= sizes["first_position"]:
        raise ArtifactError(f"{path}: max_position_embeddings leaves no position for a token; fetch it again")


def _is_small(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
