"""Tiny random encoders of BERT's kin in Hugging Face layout, with the tokenizers that belong to them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from interestrec.model.bert import Bert
from interestrec.model.encoder_checkpoint import read_checkpoint

PREFIX = {"roberta": "roberta.", "xlm-roberta": "roberta.", "distilbert": "distilbert."}
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
    values = {**(_distilbert() if family == "distilbert" else _roberta(family)), **config}
    (directory / "config.json").write_text(json.dumps(values))
    encoder, of_head = (_distilbert_shapes, _distilbert_head) if family == "distilbert" else (_roberta_shapes, _lm_head)
    shapes = {f"{PREFIX[family] if prefix else ''}{name}": s for name, s in encoder(values).items()}
    rng = np.random.default_rng(11)
    tensors = {
        name: rng.normal(float("orm.weight" in name), 0.2, shape).astype(np.float32)
        for name, shape in {**shapes, **(of_head() if head else {})}.items()
    }
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(directory)
    return directory


def of_block(family: str) -> set[str]:
    """Names of the tensors of one block, without those of the modules above it."""
    block, shapes = (
        ("transformer.layer.0.", _distilbert_shapes(_distilbert()))
        if family == "distilbert"
        else ("encoder.layer.0.", _roberta_shapes(_roberta(family)))
    )
    return {name.removeprefix(block) for name in shapes if name.startswith(block)}


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


def _distilbert() -> dict[str, Any]:
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
