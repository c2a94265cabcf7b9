"""Tiny random encoders of BERT's kin in Hugging Face layout, with the tokenizers that belong to them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

from interestrec.model.bert import Bert
from interestrec.model.encoder_checkpoint import read_checkpoint

PREFIX = {
    "roberta": "roberta.",
    "xlm-roberta": "roberta.",
    "distilbert": "distilbert.",
    "electra": "electra.",
    "albert": "albert.",
    "mpnet": "mpnet.",
}
STATIC = {"model2vec": "embeddings", "wordllama": "embedding.weight"}
DECODERS = ("gpt2", "llama", "qwen2", "qwen3", "gemma")
NARROW = 8  # width of the embeddings of ELECTRA and ALBERT
HIDDEN, INNER, LAYERS, HEADS = 16, 32, 2, 2
POSITIONS = 64  # of tokens
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
_VOCABULARY = len(_SPECIAL) + 256 + 1  # bytes and <mask>


def load_bert(directory: Path, rate: float = 0.1, pooling: str = "mean", precision: str = "float32") -> Bert:
    """The network of a directory, as what it is."""
    return read_checkpoint(directory).build(rate, pooling, precision)


def write(directory: Path, family: str, prefix: bool = False, head: bool = False, **config: Any) -> Path:
    """An encoder of 2 layers, 16 wide; with `prefix` as checkpoints that have a head, with `head` one of them."""
    directory.mkdir(parents=True, exist_ok=True)
    if family in STATIC:
        return _write_static(directory, family, config)
    if family in DECODERS:
        return _write_decoder(directory, family, prefix, config)
    layout = _LAYOUTS[family]
    values = {**layout.config(family), **config}
    (directory / "config.json").write_text(json.dumps(values))
    shapes = {f"{PREFIX[family] if prefix else ''}{name}": s for name, s in layout.encoder(values).items()}
    rng = np.random.default_rng(11)
    tensors = {
        name: rng.normal(float("orm.weight" in name), 0.2, shape).astype(np.float32)
        for name, shape in {**shapes, **(layout.head() if head else {})}.items()
    }
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(directory)
    return directory


def token_batch(texts: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Random ids of random lengths, padded with 1."""
    rng = np.random.default_rng(0)
    mask = (np.arange(length) < rng.integers(3, length + 1, (texts, 1))).astype(np.float32)
    mask[0] = 1
    return np.where(mask > 0, rng.integers(4, 260, mask.shape), 1).astype(np.int32), mask


def of_block(family: str) -> set[str]:
    """Names of the tensors of one block, without those of the modules above it."""
    layout = _LAYOUTS[family]
    shapes = layout.encoder(layout.config(family))
    return {name.removeprefix(layout.block) for name in shapes if name.startswith(layout.block)}


def _roberta(family: str) -> dict[str, Any]:
    return {
        "model_type": family,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": POSITIONS + 2,
        "vocab_size": _VOCABULARY,
        "type_vocab_size": 1,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "pad_token_id": 1,
    }


def _distilbert(family: str) -> dict[str, Any]:
    return {
        "model_type": "distilbert",
        "dim": HIDDEN,
        "hidden_dim": INNER,
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "max_position_embeddings": POSITIONS,
        "vocab_size": _VOCABULARY,
        "activation": "gelu",
        "pad_token_id": 1,
    }


def _both(module: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{module}.weight": shape, f"{module}.bias": shape[:1]}


def _roberta_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (_VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (values["max_position_embeddings"], HIDDEN),
        "embeddings.token_type_embeddings.weight": (1, HIDDEN),
        **_both("embeddings.LayerNorm", HIDDEN),
        **_both("pooler.dense", HIDDEN, HIDDEN),
    }
    for layer in range(LAYERS):
        block = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            shapes |= _both(f"{block}.attention.self.{name}", HIDDEN, HIDDEN)
        shapes |= _both(f"{block}.attention.output.dense", HIDDEN, HIDDEN)
        shapes |= _both(f"{block}.attention.output.LayerNorm", HIDDEN)
        shapes |= _both(f"{block}.intermediate.dense", INNER, HIDDEN)
        shapes |= _both(f"{block}.output.dense", HIDDEN, INNER) | _both(f"{block}.output.LayerNorm", HIDDEN)
    return shapes


def _lm_head() -> dict[str, tuple[int, ...]]:
    norm = _both("lm_head.layer_norm", HIDDEN)
    return {**_both("lm_head.dense", HIDDEN, HIDDEN), **norm, "lm_head.bias": (_VOCABULARY,)}


def _distilbert_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (_VOCABULARY, HIDDEN),
        "embeddings.position_embeddings.weight": (values["max_position_embeddings"], HIDDEN),
        **_both("embeddings.LayerNorm", HIDDEN),
    }
    for layer in range(LAYERS):
        block = f"transformer.layer.{layer}"
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            shapes |= _both(f"{block}.attention.{name}", HIDDEN, HIDDEN)
        shapes |= _both(f"{block}.sa_layer_norm", HIDDEN) | _both(f"{block}.output_layer_norm", HIDDEN)
        shapes |= _both(f"{block}.ffn.lin1", INNER, HIDDEN) | _both(f"{block}.ffn.lin2", HIDDEN, INNER)
    return shapes


def _distilbert_head() -> dict[str, tuple[int, ...]]:
    norm = _both("vocab_layer_norm", HIDDEN)
    return {**_both("vocab_transform", HIDDEN, HIDDEN), **norm, **_both("vocab_projector", _VOCABULARY, HIDDEN)}


def _electra(family: str) -> dict[str, Any]:
    own: dict[str, Any] = {"embedding_size": NARROW, "type_vocab_size": 2, "layer_norm_eps": 1e-12}
    own |= {"max_position_embeddings": POSITIONS}
    return {**_roberta(family), **own}


def _albert(family: str) -> dict[str, Any]:
    own = {"hidden_act": "gelu_new", "num_hidden_groups": 1, "inner_group_num": 1}
    return {**_electra(family), **own}


def _mpnet(family: str) -> dict[str, Any]:
    values = {**_roberta(family), "relative_attention_num_buckets": 32}
    del values["type_vocab_size"]
    return values


def _narrow_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Of embeddings that are narrower than the blocks."""
    return {
        "embeddings.word_embeddings.weight": (_VOCABULARY, NARROW),
        "embeddings.position_embeddings.weight": (values["max_position_embeddings"], NARROW),
        "embeddings.token_type_embeddings.weight": (2, NARROW),
        **_both("embeddings.LayerNorm", NARROW),
    }


def _electra_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    blocks = {name: shape for name, shape in _roberta_shapes(values).items() if name.startswith("encoder.layer.")}
    return {**_narrow_shapes(values), **_both("embeddings_project", HIDDEN, NARROW), **blocks}


def _narrow_head(dense: str, norm: str, bias: str) -> dict[str, tuple[int, ...]]:
    return {**_both(dense, NARROW, HIDDEN), **_both(norm, NARROW), bias: (_VOCABULARY,)}


def _generator_head() -> dict[str, tuple[int, ...]]:
    return _narrow_head("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias")


def _albert_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes = {**_narrow_shapes(values), **_both("encoder.embedding_hidden_mapping_in", HIDDEN, NARROW)}
    block = _ALBERT_BLOCK.removesuffix(".")
    for name in ("query", "key", "value", "dense"):
        shapes |= _both(f"{block}.attention.{name}", HIDDEN, HIDDEN)
    shapes |= _both(f"{block}.attention.LayerNorm", HIDDEN) | _both(f"{block}.full_layer_layer_norm", HIDDEN)
    return shapes | _both(f"{block}.ffn", INNER, HIDDEN) | _both(f"{block}.ffn_output", HIDDEN, INNER)


def _albert_head() -> dict[str, tuple[int, ...]]:
    return _narrow_head("predictions.dense", "predictions.LayerNorm", "predictions.bias")


def _mpnet_shapes(values: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    shapes = {name: shape for name, shape in _roberta_shapes(values).items() if ".attention." not in name}
    del shapes["embeddings.token_type_embeddings.weight"]
    for layer in range(LAYERS):
        for name in "qkvo":
            shapes |= _both(f"encoder.layer.{layer}.attention.attn.{name}", HIDDEN, HIDDEN)
        shapes |= _both(f"encoder.layer.{layer}.attention.LayerNorm", HIDDEN)
    return {**shapes, "encoder.relative_attention_bias.weight": (32, HEADS)}


class _Layout(NamedTuple):
    config: Callable[[str], dict[str, Any]]
    encoder: Callable[[dict[str, Any]], dict[str, tuple[int, ...]]]
    head: Callable[[], dict[str, tuple[int, ...]]]
    block: str


_ALBERT_BLOCK = "encoder.albert_layer_groups.0.albert_layers.0."
_LAYOUTS = {
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta"), _Layout(_roberta, _roberta_shapes, _lm_head, "encoder.layer.0.")
    ),
    "distilbert": _Layout(_distilbert, _distilbert_shapes, _distilbert_head, "transformer.layer.0."),
    "electra": _Layout(_electra, _electra_shapes, _generator_head, "encoder.layer.0."),
    "albert": _Layout(_albert, _albert_shapes, _albert_head, _ALBERT_BLOCK),
    "mpnet": _Layout(_mpnet, _mpnet_shapes, _lm_head, "encoder.layer.0."),
}


def _write_static(directory: Path, kind: str, config: dict[str, Any]) -> Path:
    """A table of token embeddings with a random row for every token."""
    (directory / "config.json").write_text(json.dumps({"model_type": kind, "hidden_dim": HIDDEN, **config}))
    rows = np.random.default_rng(11).normal(0, 0.2, (_VOCABULARY, HIDDEN)).astype(np.float32)
    save_file({STATIC[kind]: rows}, directory / "model.safetensors")
    _write_tokenizer(directory)
    return directory


def _write_decoder(directory: Path, family: str, prefix: bool, config: dict[str, Any]) -> Path:
    """A decoder of 2 layers, 16 wide, with 4 heads of queries and 2 of keys where the family has groups."""
    values = {"model_type": family, "vocab_size": _VOCABULARY, **config}
    shapes: dict[str, tuple[int, ...]]
    if family == "gpt2":
        values = {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": HEADS, "n_positions": POSITIONS, **values}
        shapes = {"wte.weight": (_VOCABULARY, HIDDEN), "wpe.weight": (POSITIONS, HIDDEN), **_both("ln_f", HIDDEN)}
        for layer in range(LAYERS):
            shapes |= _both(f"h.{layer}.ln_1", HIDDEN) | _both(f"h.{layer}.ln_2", HIDDEN)
            matrices = {"attn.c_attn": (HIDDEN, 3 * HIDDEN), "attn.c_proj": (HIDDEN, HIDDEN)}
            matrices |= {"mlp.c_fc": (HIDDEN, 4 * HIDDEN), "mlp.c_proj": (4 * HIDDEN, HIDDEN)}
            for module, (rows, columns) in matrices.items():
                shapes |= {f"h.{layer}.{module}.weight": (rows, columns), f"h.{layer}.{module}.bias": (columns,)}
    else:
        size = 8 if family in ("qwen3", "gemma") else HIDDEN // 4  # the heads of some are wider than the states
        sizes = {"hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "head_dim": size}
        heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": POSITIONS}
        values = {**sizes, **heads, "rms_norm_eps": 1e-5, "tie_word_embeddings": True, **values}
        shapes = {"embed_tokens.weight": (_VOCABULARY, HIDDEN), "norm.weight": (HIDDEN,)}
        for layer in range(LAYERS):
            block = f"layers.{layer}"
            for name in ("input_layernorm", "post_attention_layernorm"):
                shapes[f"{block}.{name}.weight"] = (HIDDEN,)
            for name, count in (("q", 4), ("k", 2), ("v", 2)):
                shapes[f"{block}.self_attn.{name}_proj.weight"] = (count * size, HIDDEN)
                if family == "qwen2":
                    shapes[f"{block}.self_attn.{name}_proj.bias"] = (count * size,)
                if family == "qwen3" and name != "v":
                    shapes[f"{block}.self_attn.{name}_norm.weight"] = (size,)
            shapes[f"{block}.self_attn.o_proj.weight"] = (HIDDEN, 4 * size)
            shapes |= {f"{block}.mlp.{name}_proj.weight": (INNER, HIDDEN) for name in ("gate", "up")}
            shapes[f"{block}.mlp.down_proj.weight"] = (HIDDEN, INNER)
    (directory / "config.json").write_text(json.dumps(values))
    before = "" if not prefix else "transformer." if family == "gpt2" else "model."
    rng = np.random.default_rng(11)
    tensors = {f"{before}{name}": rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(directory)
    return directory


def _write_tokenizer(directory: Path) -> None:
    """Bytes without merges, special tokens as RoBERTa has them: <s> 0, <pad> 1, </s> 2, <unk> 3, <mask> last."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokens = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "<mask>"]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens([*_SPECIAL, "<mask>"])
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    named = {f"{name}_token": token for name, token in names.items()}
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer", **named}))
