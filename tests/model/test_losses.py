"""The losses, worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.losses import graded_cross_entropy, impression_softmax, masked_token


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def test_graded_cross_entropy_counts_what_is_known() -> None:
    logits = tf.constant([[2.0, -1.0, 50.0]])
    labels = tf.constant([[0.75, 0.0, 0.0]])
    known = tf.constant([[True, True, False]])
    first = -(0.75 * np.log(sigmoid(2)) + 0.25 * np.log(1 - sigmoid(2)))
    second = -np.log(1 - sigmoid(-1))
    assert float(graded_cross_entropy(logits, labels, known)) == pytest.approx((first + second) / 2, rel=1e-6)
    assert float(graded_cross_entropy(logits, labels, tf.zeros_like(known))) == 0.0


def test_the_best_logit_is_the_intensity() -> None:
    grid = np.linspace(-4, 4, 801)
    known = tf.constant([[True]])
    losses = [float(graded_cross_entropy(tf.constant([[x]], tf.float32), tf.constant([[0.3]]), known)) for x in grid]
    assert sigmoid(grid[int(np.argmin(losses))]) == pytest.approx(0.3, abs=0.01)


def test_impression_softmax_by_hand() -> None:
    logits = tf.constant([[1.0, 2.0, 0.0, 9.0], [0.0, 0.0, 0.0, 0.0]])
    labels = tf.constant([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    present = tf.constant([[True, True, True, False], [True, True, True, True]])
    total = np.exp(1) + np.exp(2) + 1
    expected = -(1.0 * np.log(np.exp(1) / total) + 0.5 * np.log(np.exp(2) / total)) / 1.5
    assert float(impression_softmax(logits, labels, present)) == pytest.approx(expected, rel=1e-6)
    assert float(impression_softmax(logits[1:], labels[1:], present[1:])) == 0.0


def test_impression_softmax_ignores_a_shift_and_has_no_gradient_at_padding() -> None:
    logits = tf.Variable([[1.0, 2.0, 5.0]])
    labels, present = tf.constant([[0.0, 1.0, 0.0]]), tf.constant([[True, True, False]])
    with tf.GradientTape() as tape:
        loss = impression_softmax(logits, labels, present)
    gradient = tape.gradient(loss, logits).numpy()[0]
    assert gradient[2] == 0.0
    assert gradient[0] > 0 > gradient[1]
    assert float(impression_softmax(logits + 7.0, labels, present)) == pytest.approx(float(loss), rel=1e-5)


def test_masked_token_by_hand() -> None:
    logits = tf.math.log(tf.constant([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    expected = -(np.log(0.25) + np.log(0.8)) / 2
    assert float(masked_token(logits, tf.constant([1, 2]))) == pytest.approx(expected, rel=1e-6)
