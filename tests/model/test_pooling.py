"""The three poolings, by hand."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.bert import Bert
from interestrec.model.pooling import POOLINGS, attention_pool, cls_pool, mean_pool
from tests.kin import load_bert

pytestmark = pytest.mark.slow

HIDDEN = np.array([[[1, 2], [3, 6], [90, 90]], [[5, 1], [70, 70], [80, 80]]], np.float32)
MASK = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
IDS = np.array([[2, 9, 10, 3], [2, 7, 3, 0]], np.int32)
OF_IDS = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.float32)


def test_the_mean_and_the_first() -> None:
    np.testing.assert_allclose(mean_pool(HIDDEN, MASK), [[2, 4], [5, 1]])
    np.testing.assert_allclose(cls_pool(HIDDEN, MASK), [[1, 2], [5, 1]])


def test_attention_by_hand() -> None:
    query = tf.constant([0.5, -0.25])
    share = np.exp([0.0, 0.0])  # 0.5 · 1 - 0.25 · 2 and 0.5 · 3 - 0.25 · 6
    np.testing.assert_allclose(attention_pool(HIDDEN, MASK, query)[0], share / share.sum() @ HIDDEN[0, :2], rtol=1e-6)
    query = tf.constant([1.0, -1.0])
    share = np.exp([-1.0, -3.0])
    np.testing.assert_allclose(attention_pool(HIDDEN, MASK, query)[0], share / share.sum() @ HIDDEN[0, :2], rtol=1e-6)
    np.testing.assert_allclose(attention_pool(HIDDEN, MASK, query)[1], HIDDEN[1, 0])


def test_attention_starts_as_the_mean() -> None:
    hidden = np.random.default_rng(0).normal(size=(4, 7, 5)).astype(np.float32)
    mask = (np.arange(7) < np.array([[1], [3], [7], [4]])).astype(np.float32)
    found = attention_pool(tf.constant(hidden), tf.constant(mask), tf.zeros(5))
    np.testing.assert_allclose(found, mean_pool(hidden, mask), atol=1e-6)


def pooled(bert: Bert) -> np.ndarray:
    return bert.pooled(IDS, OF_IDS).numpy()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_an_encoder_pools_as_it_is_told(tiny_encoder: Path, pooling: str) -> None:
    bert = load_bert(tiny_encoder, pooling=pooling)
    hidden = bert(IDS, OF_IDS).numpy()
    mean = np.stack([hidden[0].mean(axis=0), hidden[1, :3].mean(axis=0)])
    expected = {"cls": hidden[:, 0], "last": np.stack([hidden[0, -1], hidden[1, 2]])}.get(pooling, mean)
    np.testing.assert_allclose(pooled(bert), expected, atol=1e-5)
    assert (bert.query is not None) == (pooling == "attention")


def test_the_query_learns_also_where_no_layer_does(tiny_encoder: Path) -> None:
    bert = load_bert(tiny_encoder, pooling="attention")
    assert [[v.path for v in group] for group in bert.unfreeze(0)] == [[bert.query.path]]
    assert [len(group) for group in bert.unfreeze(2)] == [12, 12, 1]
    assert [len(group) for group in load_bert(tiny_encoder).unfreeze(1)] == [12]
    before = pooled(bert)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bert.pooled(IDS, OF_IDS)[:, 0])
    gradient = tape.gradient(loss, bert.query.value)
    assert np.abs(gradient.numpy()).max() > 1e-3
    bert.query.assign_sub(gradient)
    assert pooled(bert)[:, 0].sum() < before[:, 0].sum() - 1e-3
