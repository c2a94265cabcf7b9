"""The sampled softmax by hand."""

import numpy as np
import tensorflow as tf

from interestrec.training.next_item_objective import sampled_softmax


def test_a_loss_by_hand_without_accidental_hits_and_padding() -> None:
    positive = np.array([[[1.0, 2.0], [0.5, 9.0]]], np.float32)
    sampled = np.array([[[0.0, -1.0, 3.0], [2.0, 0.0, 1.0]]], np.float32)
    targets = np.array([[[4, 5], [6, -1]]], np.int32)
    negatives = np.array([[7, 5, 6]], np.int32)  # 5 is a target of the first step, 6 of the second
    expected = (
        -np.log(np.e / (np.e + 1 + np.exp(-1) + np.exp(3)))
        - np.log(np.exp(2) / (np.exp(2) + 1 + np.exp(3)))
        - np.log(np.exp(0.5) / (np.exp(0.5) + np.exp(2) + 1))
    )
    np.testing.assert_allclose(sampled_softmax(positive, sampled, targets, negatives), expected, rtol=1e-6)


def test_negatives_that_are_all_hits_leave_nothing_to_learn() -> None:
    logits = tf.Variable([[[1.0, 1.0]]])
    with tf.GradientTape() as tape:
        loss = sampled_softmax(logits[:, :, :1], logits, np.array([[[3]]], np.int32), np.array([[3, 3]], np.int32))
    assert float(loss) == 0.0
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()
