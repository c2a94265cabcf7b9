"""Matrices multiplied in fewer bits; what comes out is float32 all the same."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.bert import PRECISIONS
from interestrec.model.bert_layer import MATRICES, BertLayer
from tests.kin import load_bert

RNG = np.random.default_rng(0)
MASK = (np.arange(12) < RNG.integers(3, 13, (6, 1))).astype(np.float32)
IDS = RNG.integers(5, 60, MASK.shape).astype(np.int32)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.15), ("float16", 0.02)])
def test_fewer_bits_are_near_to_float32_and_come_out_as_float32(
    tiny_encoder: Path, precision: str, tolerance: float
) -> None:
    plain, fewer = load_bert(tiny_encoder), load_bert(tiny_encoder, precision=precision)
    hidden, exact = fewer(IDS, MASK), plain(IDS, MASK)
    assert hidden.dtype == fewer.lower(IDS, MASK, 1).dtype == fewer.pooled(IDS, MASK).dtype == tf.float32
    error = np.abs(hidden.numpy() - exact.numpy())[MASK > 0]
    assert 1e-4 < error.max() < tolerance


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_and_their_gradients_are_float32(tiny_encoder: Path, precision: str) -> None:
    bert = load_bert(tiny_encoder, precision=precision)
    weights = [v.value for v in bert.blocks[1].trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(bert(IDS, MASK)))
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        assert weight.dtype == gradient.dtype == tf.float32
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_matrix_is_multiplied_in_it(tiny_encoder: Path, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = [], BertLayer._dense

    def spied(self: BertLayer, x: tf.Tensor, name: str) -> tf.Tensor:
        y = original(self, x, name)
        seen.append((name, x.dtype, y.dtype))
        return y

    monkeypatch.setattr(BertLayer, "_dense", spied)
    load_bert(tiny_encoder, precision=precision)(IDS, MASK)
    kind = tf.as_dtype(precision)
    assert seen == [(name, kind, kind) for name in MATRICES] * 2
