"""Fusion of modalities: shares by hand, missing ones, dropout, gradients."""

import numpy as np
import pytest

from interestrec.model.backend import tf
from interestrec.model.modality import Modality, unit_blocks
from interestrec.model.modality_gates import ModalityGates

MODALITIES = (Modality("text", 3), Modality("picture", 2))
VECTORS = np.array([[3, 0, 0, 0, 2], [0, 4, 0, 0, 0], [0, 0, 0, 5, 0], [0, 0, 0, 0, 0], [1, 1, 0, 1, -1]], np.float32)


def gates(rate: float = 0.5) -> ModalityGates:
    layer = ModalityGates(MODALITIES, rate)
    layer.build()
    return layer


def test_new_gates_are_the_blocks_with_equal_shares() -> None:
    np.testing.assert_allclose(gates()(tf.constant(VECTORS)).numpy(), unit_blocks(VECTORS, MODALITIES), atol=1e-6)
    half = np.sqrt(0.5)
    by_hand = [[half, 0, 0, 0, half], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(gates()(tf.constant(VECTORS)).numpy()[:4], by_hand, atol=1e-6)


def test_shares_follow_bias_and_kernel() -> None:
    layer = gates()
    layer.bias.assign([np.log(3.0), 0.0])
    layer.kernel.assign([0, 0, 0, 0, np.log(3.0)])  # a picture like that of item 0 counts three times as much
    found = layer(tf.constant(VECTORS)).numpy()
    np.testing.assert_allclose(found[0], [np.sqrt(0.5), 0, 0, 0, np.sqrt(0.5)], atol=1e-6)
    np.testing.assert_allclose(found[1], [0, 1, 0, 0, 0], atol=1e-6)  # the only modality has all
    share = 3.0 / (3.0 + 3.0 ** -np.sqrt(0.5))
    np.testing.assert_allclose(np.linalg.norm(found[4, :3]), np.sqrt(share), atol=1e-6)


def test_the_norm_is_one_and_products_are_means_of_cosines() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((6, 5)).astype(np.float32)
    fused = gates()(tf.constant(vectors)).numpy()
    np.testing.assert_allclose(np.linalg.norm(fused, axis=1), 1.0, atol=1e-6)

    def cosines(block: np.ndarray) -> np.ndarray:
        unit = block / np.linalg.norm(block, axis=1, keepdims=True)
        return unit @ unit.T

    np.testing.assert_allclose(fused @ fused.T, (cosines(vectors[:, :3]) + cosines(vectors[:, 3:])) / 2, atol=1e-6)


def test_dropout_never_takes_the_last_modality() -> None:
    many = np.repeat(VECTORS, 200, axis=0)
    fused = gates(0.5)(tf.constant(many), tf.constant([1, 2], tf.int32)).numpy().reshape(len(VECTORS), 200, 5)
    norms = np.linalg.norm(fused, axis=2)
    np.testing.assert_allclose(norms[[0, 1, 2, 4]], 1.0, atol=1e-6)
    assert not norms[3].any()
    text, picture = np.abs(fused[0, :, :3]).max(1) > 0, np.abs(fused[0, :, 3:]).max(1) > 0
    assert 0.2 < (~text).mean() < 0.55
    assert 0.2 < (~picture).mean() < 0.55


def test_gradients_are_finite_where_modalities_are_missing() -> None:
    layer, vectors = gates(), tf.Variable(VECTORS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(vectors, tf.constant([3, 4], tf.int32)) * tf.range(5.0))
    for gradient in tape.gradient(loss, [vectors, layer.bias.value, layer.kernel.value]):
        assert np.isfinite(gradient.numpy()).all()


def test_one_modality_stays_as_it_is() -> None:
    assert unit_blocks(VECTORS, MODALITIES[:1]) is VECTORS


@pytest.mark.parametrize("row", [0, 3, 4])
def test_unit_blocks_have_norm_one_or_none(row: int) -> None:
    assert np.linalg.norm(unit_blocks(VECTORS, MODALITIES)[row]) == pytest.approx(float(VECTORS[row].any()))
