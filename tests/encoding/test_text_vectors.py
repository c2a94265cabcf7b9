"""Encoding: each text once, in any company the same vector."""

from pathlib import Path

import numpy as np

from interestrec.encoding.hidden_cache import UpperLayers, encode_lower
from interestrec.encoding.text_vectors import encode
from interestrec.model.bert import Bert
from interestrec.text.text_inputs import TextInputs
from tests.kin import load_bert


def inputs(texts: list[list[int]]) -> TextInputs:
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return TextInputs(offsets, np.concatenate(texts).astype(np.int32), 0)


def random_texts(count: int, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [[2, *rng.integers(5, 60, rng.integers(1, 20)), 3] for _ in range(count)]


def test_vectors_are_those_of_each_text_alone(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    texts = random_texts(30)
    vectors = encode(bert, inputs([*texts, texts[0]]))
    for text, vector in zip(texts, vectors, strict=False):
        ids = np.array([text], np.int32)
        alone = bert(ids, np.ones(ids.shape, np.float32)).numpy().mean(axis=1)[0]
        np.testing.assert_allclose(vector, alone, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[-1])


def test_texts_added_at_the_end_change_no_bit(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    texts = random_texts(40)
    before = encode(bert, inputs(texts))
    after = encode(bert, inputs(texts + random_texts(25, seed=1)))
    np.testing.assert_array_equal(after[:40], before)


def test_a_vector_does_not_depend_on_place_and_company(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    texts = random_texts(300)
    whole = encode(bert, inputs(texts))
    np.testing.assert_array_equal(encode(bert, inputs(texts[::-1])), whole[::-1])
    np.testing.assert_array_equal(encode(bert, inputs(texts[7:150:3])), whole[7:150:3])


def upper_vectors(bert: Bert, texts: TextInputs, layers: int) -> np.ndarray:
    """Vectors of all texts in two parts."""
    hidden = encode_lower(bert, texts, layers)
    return UpperLayers(bert, hidden, layers).vectors(np.arange(len(texts)))


def test_lower_and_upper_layers_make_the_whole(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    texts = inputs(random_texts(25))
    whole = encode(bert, texts)
    for layers in (0, 1, 2):
        # States are kept in float16.
        np.testing.assert_allclose(upper_vectors(bert, texts, layers), whole, atol=5e-3)


def test_longer_texts_added_at_the_end_change_no_bit_of_the_upper_layers(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder)
    short, longer = [[2, *range(10, 18), 3]] * 20, [[2, *range(20, 34), 3]] * 5  # 10 and 16 tokens: one bucket
    before = upper_vectors(bert, inputs(short), 1)
    after = upper_vectors(bert, inputs(short + longer), 1)
    np.testing.assert_array_equal(after[:20], before)
