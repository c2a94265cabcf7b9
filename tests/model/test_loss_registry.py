"""What holds for every loss of candidate lists, so that a new one is tested without being asked."""

import numpy as np
import pytest
import tensorflow as tf

from interestrec.model.candidate_loss import CandidateLoss, count, total
from interestrec.model.losses import LOSSES

registered = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))

RNG = np.random.default_rng(7)
LOGITS = RNG.normal(size=(4, 5)).astype(np.float32)
LABELS = np.array([[1, 0, 0, 0.5, 0], [0, 0, 1, 0, 0.25], [0.5, 0.75, 0, 1, 0], [1, 1, 0, 0, 0]], np.float32)
PRESENT = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], bool)
KNOWN = PRESENT & np.array([[1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 1, 0, 1, 0], [1, 1, 1, 0, 1]], bool)


def value(loss: CandidateLoss, logits: np.ndarray, *lists: np.ndarray) -> float:
    return float(total(loss, tf.constant(logits), *map(tf.constant, lists or (LABELS, PRESENT, KNOWN))))


def slopes(loss: CandidateLoss, logits: np.ndarray, *lists: np.ndarray) -> np.ndarray:
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        found = total(loss, variable, *map(tf.constant, lists or (LABELS, PRESENT, KNOWN)))
    return tf.convert_to_tensor(tape.gradient(found, variable)).numpy()


@registered
def test_it_has_a_formula_and_arguments_in_its_docstring(loss: CandidateLoss) -> None:
    text = loss.values.__doc__ or ""
    assert "Args:" in text
    assert "float32 [impressions, candidates]" in text


@registered
def test_value_and_gradient_are_finite_and_no_loss_is_negative(loss: CandidateLoss) -> None:
    for scale in (0.0, 1.0, 100.0, -100.0):
        assert value(loss, LOGITS * scale) >= -1e-6
        assert np.isfinite(value(loss, LOGITS * scale))
        assert np.isfinite(slopes(loss, LOGITS * scale)).all()


@registered
def test_the_gradient_is_that_of_finite_differences(loss: CandidateLoss) -> None:
    found, step = slopes(loss, LOGITS), 1e-2
    for row, column in np.ndindex(LOGITS.shape):
        moved = np.zeros_like(LOGITS)
        moved[row, column] = step
        slope = (value(loss, LOGITS + moved) - value(loss, LOGITS - moved)) / (2 * step)
        assert found[row, column] == pytest.approx(slope, abs=2e-3)


@registered
def test_it_falls_on_the_way_to_the_truth(loss: CandidateLoss) -> None:
    labels, everything = np.array([[1, 0, 0, 0]], np.float32), np.ones((1, 4), bool)
    values = [value(loss, (2 * labels - 1) * scale, labels, everything, everything) for scale in (-1.0, 0.0, 1.0, 3.0)]
    assert (np.diff(values) < 0).all()


@registered
def test_the_order_of_candidates_and_of_impressions_does_not_matter(loss: CandidateLoss) -> None:
    expected = value(loss, LOGITS)
    for rows, columns in ((np.arange(4), RNG.permutation(5)), (RNG.permutation(4), np.arange(5))):
        logits, *lists = (array[rows][:, columns] for array in (LOGITS, LABELS, PRESENT, KNOWN))
        assert value(loss, logits, *lists) == pytest.approx(expected, rel=1e-5)


@registered
def test_what_is_not_there_does_not_matter(loss: CandidateLoss) -> None:
    logits, labels = np.where(PRESENT, LOGITS, 40).astype(np.float32), np.where(PRESENT, LABELS, 1).astype(np.float32)
    assert value(loss, logits, labels, PRESENT, KNOWN) == value(loss, LOGITS)
    assert (slopes(loss, logits, labels, PRESENT, KNOWN)[~PRESENT] == 0).all()
    assert float(count(loss, labels, PRESENT, KNOWN)) == float(count(loss, LABELS, PRESENT, KNOWN))
    nothing = np.zeros_like(PRESENT)
    assert value(loss, LOGITS, LABELS, nothing, nothing) == 0
    assert float(count(loss, LABELS, nothing, nothing)) == 0
