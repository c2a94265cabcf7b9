"""Where text vectors come from: what is encoded, what is remembered, and what has a gradient."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.encoding.hidden_cache import encode_lower
from interestrec.model.bert import Bert
from interestrec.text.text_inputs import TextInputs
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.training.item_vectors import FrozenTextVectors, LearningTextVectors, PreparedTexts
from interestrec.training.optimizer import WeightGroup
from tests.kin import load_bert

pytestmark = pytest.mark.slow

ITEMS = 30
NONE, ALL = VectorCacheSettings(), VectorCacheSettings(probability=1.0)


def inputs() -> TextInputs:
    """A text for each item, of 3 to 20 tokens."""
    rng = np.random.default_rng(0)
    texts = [[2, *rng.integers(5, 60, 1 + n % 18), 3] for n in range(ITEMS)]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return TextInputs(offsets, np.concatenate(texts).astype(np.int32), 0)


def learning(bert: Bert, reuse: VectorCacheSettings, text_of_item: np.ndarray | None = None) -> LearningTextVectors:
    rows = np.arange(ITEMS) if text_of_item is None else text_of_item
    groups = [WeightGroup([v.value for v in weights], 1e-3) for weights in bert.unfreeze(1)]
    return LearningTextVectors(bert, 1, encode_lower(bert, inputs(), 1), rows, groups, reuse)


@pytest.fixture
def bert(tiny_encoder: Path) -> Bert:
    return load_bert(tiny_encoder)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def lengths(texts: LearningTextVectors, prepared: PreparedTexts) -> int:
    return int(texts.hidden.lengths[prepared.encoded].sum())


def step(texts: LearningTextVectors, items: np.ndarray, seed: int = 0) -> PreparedTexts:
    """One step of training as the loop takes it, but that no weight moves."""
    prepared = texts.prepare(items, rng(seed))
    _, encoded = texts.vectors(*prepared.arrays, noise=None)
    texts.keep([prepared], [encoded.numpy()])
    return prepared


def test_without_reuse_every_text_is_encoded_in_every_step(bert: Bert) -> None:
    texts = learning(bert, NONE)
    for seed in range(3):
        prepared = step(texts, np.arange(5, 25), seed)
        assert sorted(prepared.encoded.tolist()) == list(range(5, 25))
        assert prepared.texts == 20


def test_vectors_in_groups_of_length_are_those_of_the_table(bert: Bert) -> None:
    texts = learning(bert, NONE)
    for items in (np.arange(ITEMS)[::-1], np.array([4, 9]), np.array([7])):
        prepared = texts.prepare(items, rng())
        vectors, encoded = texts.vectors(*prepared.arrays, noise=None)
        np.testing.assert_allclose(vectors.numpy(), texts.current_vectors(items), atol=1e-5)
        np.testing.assert_allclose(encoded.numpy(), texts.current_vectors(prepared.encoded), atol=1e-5)
    widths = [array.shape[1] for array in texts.prepare(np.arange(ITEMS), rng()).arrays[0:6:2]]
    assert widths == sorted(set(widths))  # each group is padded to its own longest


def test_no_items_no_vectors(bert: Bert) -> None:
    for reuse in (NONE, ALL):
        texts = learning(bert, reuse)
        prepared = texts.prepare(np.zeros(0, np.int32), rng())
        vectors, encoded = texts.vectors(*prepared.arrays, noise=None)
        assert vectors.shape == encoded.shape == (0, 16)


def test_the_signature_fits_what_is_prepared(bert: Bert) -> None:
    for texts in (learning(bert, NONE), learning(bert, VectorCacheSettings(probability=0.5, max_age=5, max_tokens=40))):
        for array, spec in zip(texts.prepare(np.arange(9), rng()).arrays, texts.signature, strict=True):
            assert spec.is_compatible_with(tf.constant(array))


def test_with_probability_1_all_come_from_memory_until_they_are_too_old(bert: Bert) -> None:
    texts = learning(bert, VectorCacheSettings(probability=1.0, max_age=3))
    items = np.arange(10)
    encoded = [len(step(texts, items).encoded) for _ in range(9)]
    # Of the weights before steps 1, 5 and 9: each serves while its weights are at most three steps old.
    assert encoded == [0, 0, 0, 0, 10, 0, 0, 0, 10]
    some = step(learning(bert, VectorCacheSettings(probability=0.5)), np.arange(ITEMS))
    assert 5 < len(some.encoded) < 25


def test_a_texts_age_counts_from_when_it_was_encoded(bert: Bert) -> None:
    texts = learning(bert, VectorCacheSettings(probability=1.0, max_age=3))
    for _ in range(3):
        step(texts, np.arange(5))
    texts.current_vectors(np.array([7]))  # validation encodes too
    step(texts, np.arange(5))
    assert sorted(step(texts, np.arange(10)).encoded.tolist()) == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_no_more_tokens_are_encoded_than_the_limit(bert: Bert) -> None:
    whole = learning(bert, NONE).hidden.lengths.sum()
    texts = learning(bert, VectorCacheSettings(max_tokens=60))
    seen: set[int] = set()
    for seed in range(100):
        prepared = texts.prepare(np.arange(ITEMS), rng(seed))
        assert 40 <= lengths(texts, prepared) <= 60 < whole
        seen |= set(prepared.encoded.tolist())
    assert len(seen) == ITEMS  # which ones is left to chance
    texts._step = 1000  # also where all are too old
    assert lengths(texts, texts.prepare(np.arange(ITEMS), rng())) <= 60


def test_remembered_vectors_are_those_of_the_step_they_are_from(bert: Bert) -> None:
    texts = learning(bert, ALL)
    before = texts.current_vectors(np.arange(ITEMS))
    bert.blocks[1].down_kernel.assign_add(tf.ones_like(bert.blocks[1].down_kernel) * 0.1)
    bert.blocks[1].down_bias.assign_add(np.linspace(0, 1, 16))
    prepared = texts.prepare(np.arange(ITEMS), rng())
    np.testing.assert_array_equal(texts.vectors(*prepared.arrays, noise=None)[0].numpy(), before)
    found = np.full((2, 16), 7, np.float32)
    texts.keep([prepared._replace(encoded=np.array([3, 8]))], [found])
    vectors = texts.vectors(*texts.prepare(np.array([3, 4, 8]), rng()).arrays, noise=None)[0].numpy()
    np.testing.assert_array_equal(vectors, [found[0], before[4], found[1]])
    assert np.abs(texts.current_vectors(np.array([4])) - before[4]).max() > 1e-3


def gradient_of(texts: LearningTextVectors, prepared: PreparedTexts, item: int) -> float:
    """Size of the gradient that an item's vector gives the weights."""
    with tf.GradientTape() as tape:
        vectors, _ = texts.vectors(*prepared.arrays, noise=None)
        loss = tf.reduce_sum(vectors[item] * np.arange(16))
    variables = texts.groups[0].variables
    found = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return float(tf.linalg.global_norm(found))


def test_what_is_remembered_has_no_gradient(bert: Bert) -> None:
    texts = learning(bert, VectorCacheSettings(probability=0.5))
    prepared = texts.prepare(np.arange(ITEMS), rng())
    remembered = sorted(set(range(ITEMS)) - set(prepared.encoded.tolist()))
    assert remembered
    assert gradient_of(texts, prepared, remembered[0]) == 0.0
    assert gradient_of(texts, prepared, int(prepared.encoded[0])) > 1e-3


def test_items_with_one_text_share_its_vector(bert: Bert) -> None:
    rows = np.arange(ITEMS)
    rows[[10, 20]] = 5
    texts = learning(bert, NONE, rows)
    prepared = texts.prepare(np.array([5, 6, 10, 20]), rng())
    assert prepared.texts == 2
    assert sorted(prepared.encoded.tolist()) == [5, 6]
    vectors = texts.vectors(*prepared.arrays, noise=None)[0].numpy()
    np.testing.assert_array_equal(vectors[[2, 3]], vectors[[0, 0]])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    np.testing.assert_array_equal(texts.current_vectors(np.array([20])), texts.current_vectors(np.array([5])))


def test_what_is_remembered_survives_a_checkpoint(bert: Bert) -> None:
    reuse = VectorCacheSettings(probability=0.7, max_age=3, max_tokens=80)
    texts = learning(bert, reuse)
    for seed in range(4):
        step(texts, np.arange(20), seed)
    texts.keep([texts.prepare(np.arange(2), rng())._replace(encoded=np.array([25]))], [np.ones((1, 16))])
    again = learning(bert, reuse)
    again.restore(texts.state())
    for seed in range(4, 9):
        ours, theirs = (t.prepare(np.arange(ITEMS), rng(seed)) for t in (again, texts))
        for here, there in zip(ours.arrays, theirs.arrays, strict=True):
            np.testing.assert_array_equal(here, there)
        step(again, np.arange(ITEMS), seed)
        step(texts, np.arange(ITEMS), seed)
    state = again.state()
    step(texts, np.arange(ITEMS), 0)
    assert not np.shares_memory(state[1], texts.state()[1])


def test_dropout_is_in_what_is_encoded_alone(bert: Bert) -> None:
    texts = learning(bert, VectorCacheSettings(probability=0.5))
    prepared = texts.prepare(np.arange(ITEMS), rng())
    quiet, noisy = (texts.vectors(*prepared.arrays, noise=n)[0].numpy() for n in (None, tf.constant([1, 2])))
    moved = np.flatnonzero(np.abs(quiet - noisy).max(axis=1) > 1e-4)
    assert sorted(prepared.encoded.tolist()) == moved.tolist()


def test_frozen_vectors_are_looked_up() -> None:
    table = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    texts = FrozenTextVectors(table)
    prepared = texts.prepare(np.array([4, 1]), rng())
    vectors, encoded = texts.vectors(*prepared.arrays, noise=tf.constant([1, 2]))
    np.testing.assert_array_equal(vectors, table[[4, 1]])
    np.testing.assert_array_equal(texts.current_vectors(np.array([4, 1])), table[[4, 1]])
    assert (len(encoded), len(prepared.encoded), prepared.texts) == (0, 0, 2)
    assert texts.groups == texts.state() == []
