"""Generalised binary cross-entropy: by hand, and its two limits."""

import numpy as np
import tensorflow as tf

from interestrec.model.candidate_loss import total
from interestrec.model.gbce_loss import GBCE, gbce

LOGITS = np.array([[1.0, -0.5, 0.25, 9.0]], np.float32)
LABELS = np.array([[1.0, 0.0, 0.0, 0.0]], np.float32)
PRESENT = np.array([[True, True, True, False]])


def softplus(x: float) -> float:
    return float(np.log1p(np.exp(x)))


def test_by_hand_with_a_quarter_of_the_negatives() -> None:
    """Two negatives of rate 1/4 stand for eight, so three of nine candidates are there and β = 1/4 + 1/3 · 3/4."""
    log_rate = np.log(np.array([[1.0, 0.25, 0.25, 0.25]], np.float32))
    beta = 1 / 3 * (0.75 * (1 - 3) + 3)
    expected = (beta * softplus(-1.0) + softplus(-0.5) + softplus(0.25)) / 3
    assert beta == 0.5
    np.testing.assert_allclose(gbce(LOGITS, LABELS, PRESENT, 0.0, log_rate), [expected], rtol=1e-6)


def test_with_all_negatives_it_is_the_cross_entropy() -> None:
    expected = tf.nn.sigmoid_cross_entropy_with_logits(LABELS, LOGITS).numpy()[PRESENT].mean()
    for log_rate in (None, np.zeros_like(LOGITS)):
        np.testing.assert_allclose(gbce(LOGITS, LABELS, PRESENT, 0.0, log_rate), [expected], rtol=1e-6)


def test_the_rates_reach_the_loss_and_padding_does_not() -> None:
    log_rate = np.log(np.array([[1.0, 0.25, 0.25, 0.25]], np.float32))
    arguments = (tf.constant(LOGITS), tf.constant(LABELS), tf.constant(PRESENT), tf.constant(PRESENT))
    found = total(GBCE, *arguments, tf.constant(log_rate))
    np.testing.assert_allclose(found, gbce(LOGITS, LABELS, PRESENT, 0.0, log_rate)[0], rtol=1e-6)
    np.testing.assert_allclose(gbce(LOGITS[:, :3], LABELS[:, :3], PRESENT[:, :3], 0.0, log_rate[:, :3]), [found])
