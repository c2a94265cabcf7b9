"""Encoding in 8-bit integers: near the float32 vectors, and in any company the same."""

import sys
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ConfigError
from interestrec.encoding.encoder_caches import vector_cache
from interestrec.encoding.int8_encoder import Int8Encoder
from interestrec.encoding.text_vectors import encode
from interestrec.model.encoders import load_encoder
from interestrec.model.families import FAMILIES
from tests import kin
from tests.encoding.test_text_vectors import inputs, random_texts


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_near_those_of_float32(family: str, tmp_path: Path) -> None:
    encoder = load_encoder(kin.write(tmp_path / family, family), pooling="cls")
    texts = inputs(random_texts(100))
    assert cosines(encode(Int8Encoder(encoder), texts), encode(encoder, texts)).min() > 0.995


def test_the_exact_gelu_and_the_last_token(tmp_path: Path) -> None:
    encoder = load_encoder(kin.write(tmp_path / "albert", "albert", hidden_act="gelu"), pooling="last")
    texts = inputs(random_texts(50))
    assert cosines(encode(Int8Encoder(encoder), texts), encode(encoder, texts)).min() > 0.995


def test_a_text_as_long_as_the_encoder_reads(tmp_path: Path) -> None:
    encoder = load_encoder(kin.write(tmp_path / "mpnet", "mpnet"))
    longest = np.random.default_rng(0).integers(5, 60, encoder.max_length).tolist()
    texts = inputs([longest, [2, 3]])
    assert cosines(encode(Int8Encoder(encoder), texts), encode(encoder, texts)).min() > 0.995


def test_a_vector_does_not_depend_on_place_company_and_threads(tiny_encoder: Path) -> None:
    encoder = Int8Encoder(load_encoder(tiny_encoder))
    texts = random_texts(600)
    whole = encode(encoder, inputs(texts))
    np.testing.assert_array_equal(encode(encoder, inputs(texts[::-1])), whole[::-1])
    encoder.threads = 3
    np.testing.assert_array_equal(encode(encoder, inputs(texts[7:450:3])), whole[7:450:3])


def test_the_cache_is_one_of_its_own_and_gives_the_same_bits(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder, texts = load_encoder(tiny_encoder), inputs(random_texts(60))
    int8 = Int8Encoder(encoder)
    cache = vector_cache(int8, tiny_encoder, tmp_path)
    assert cache.directory != vector_cache(encoder, tiny_encoder, tmp_path).directory
    encode(int8, texts.select(np.arange(0, 60, 2)), cache)
    np.testing.assert_array_equal(encode(int8, texts, cache), encode(int8, texts))


@pytest.mark.parametrize("family", kin.STATIC)
def test_an_encoder_without_matrices_is_refused(family: str, tmp_path: Path) -> None:
    encoder = Int8Encoder(load_encoder(kin.write(tmp_path / family, family)))
    with pytest.raises(ConfigError, match="BERT family"):
        encode(encoder, inputs(random_texts(3)))


def test_a_missing_package_is_named(tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"interestrec\[int8\]"):
        encode(Int8Encoder(load_encoder(tiny_encoder)), inputs(random_texts(3)))
