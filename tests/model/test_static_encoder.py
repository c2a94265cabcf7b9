"""Tables of token embeddings: the mean of rows, their layouts, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from interestrec.core.errors import ArtifactError
from interestrec.encoding.text_vectors import encode
from interestrec.model.encoders import load_encoder, read_encoder
from interestrec.text.tokenizer import load_tokenizer
from tests import kin

TITLES = ["storm", "", "a storm of snow", "xy"]


def vectors(directory: Path, titles: list[str] = TITLES) -> np.ndarray:
    encoder = load_encoder(directory)
    features = pa.table({"title_tokens": load_tokenizer(directory).encode(titles)})
    return encode(encoder, encoder.item_inputs(directory, features, [("title", 32)]))


def rewritten(directory: Path, config: dict[str, Any], **tensors: np.ndarray) -> Path:
    path, said = directory / "model.safetensors", directory / "config.json"
    save_file({**load_file(path), **tensors}, path)
    said.write_text(json.dumps({**json.loads(said.read_text()), **config}))
    return directory


@pytest.mark.parametrize("kind", kin.STATIC)
def test_a_vector_is_the_mean_of_the_rows_of_its_tokens(tmp_path: Path, kind: str) -> None:
    directory = kin.write(tmp_path, kind)
    rows = load_file(directory / "model.safetensors")[kin.STATIC[kind]]
    tokens = load_tokenizer(directory).encode(TITLES).to_pylist()
    assert [len(each) for each in tokens] == [5, 0, 15, 2]  # bytes, without special tokens
    expected = [rows[each].mean(axis=0) if each else np.zeros(kin.HIDDEN) for each in tokens]
    np.testing.assert_allclose(vectors(directory), expected, atol=1e-6)


def test_weights_rows_and_length_of_model2vec(tmp_path: Path) -> None:
    directory = kin.write(tmp_path, "model2vec")
    count = len(load_file(directory / "model.safetensors")["embeddings"])
    rng = np.random.default_rng(5)
    table, mapping = rng.normal(size=(7, 4)).astype(np.float16), rng.integers(0, 7, count)
    weights = rng.uniform(0.1, 1, count)
    rewritten(directory, {"normalize": True}, embeddings=table, mapping=mapping, weights=weights)
    tokens = load_tokenizer(directory).encode(TITLES).to_pylist()
    expected = np.zeros((len(TITLES), 4))
    for row, ids in enumerate(tokens):
        for number in ids:
            expected[row] += table[mapping[number]].astype(float) * weights[number] / len(ids)
    lengths = np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-9)
    np.testing.assert_allclose(vectors(directory), expected / lengths, atol=1e-5)
    assert not vectors(directory)[1].any()
    stored = read_encoder(directory).stored({})
    assert set(stored) == {"embeddings", "mapping", "weights"}
    assert stored["embeddings"].dtype == np.float16
    learned = read_encoder(directory).stored(load_encoder(directory).export_weights())
    assert set(learned) == {"embeddings"}
    save_file(learned, directory / "model.safetensors")
    np.testing.assert_allclose(vectors(directory), expected / lengths, atol=1e-5)


@pytest.mark.parametrize(("kind", "skipped"), [("model2vec", True), ("wordllama", False)])
def test_whether_unknown_tokens_count(tmp_path: Path, kind: str, skipped: bool) -> None:
    directory = kin.write(tmp_path, kind)
    with_unknown, without = vectors(directory, ["a<unk>b", "ab"])
    assert np.allclose(with_unknown, without) == skipped


@pytest.mark.parametrize(
    ("config", "tensors", "reason"),
    [
        ({"normalize": 1}, {}, "normalize must be true or false"),
        ({"seq_length": -3}, {}, "seq_length a whole number above 0"),
        ({}, {"embeddings": np.zeros(3, np.float32)}, "no tensor 'embeddings' of token vectors"),
        ({}, {"embeddings": np.zeros((3, 2), np.int32)}, "no tensor 'embeddings' of token vectors"),
        ({}, {"embeddings": np.full((3, 2), np.nan, np.float32)}, "'embeddings' has values that are not finite"),
        ({}, {"weights": np.ones(5)}, r"'weights' has shape \(5,\)"),
        ({}, {"mapping": np.array([0, 261])}, "'mapping' does not name rows"),
        ({}, {"mapping": np.array([0, -1])}, "'mapping' does not name rows"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, config: dict, tensors: dict, reason: str) -> None:
    directory = rewritten(kin.write(tmp_path, "model2vec"), config, **tensors)
    with pytest.raises(ArtifactError, match=reason):
        read_encoder(directory)


def test_a_tokenizer_with_more_tokens_than_rows(tmp_path: Path) -> None:
    directory = rewritten(kin.write(tmp_path, "model2vec"), {}, embeddings=np.ones((9, 4), np.float32))
    with pytest.raises(ArtifactError, match="the tokenizer has 261 tokens"):
        vectors(directory)
