"""The losses, worked by hand."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import huber as scipy_huber
from scipy.special import softmax
from scipy.stats import entropy

from interestrec.model.candidate_loss import CandidateLoss, count, total
from interestrec.model.huber_loss import huber
from interestrec.model.intensity_loss import graded_cross_entropy
from interestrec.model.listnet_loss import listnet
from interestrec.model.losses import LOSSES
from interestrec.model.pairwise_loss import pairwise_logistic
from interestrec.model.softmax_loss import impression_softmax
from interestrec.pretraining.masked_objective import masked_token

LOSS_OF = {loss.values: loss for loss in LOSSES.values()}
Array = tf.Tensor | np.ndarray


def mean_of(loss: CandidateLoss, logits: Array, labels: Array, counted: Array) -> tf.Tensor:
    """The mean over what a loss counts where all that is there is known; 0 where it counts nothing."""
    lists = [tf.constant(labels), tf.constant(counted), tf.constant(counted)]
    return total(loss, logits, *lists) / tf.maximum(count(loss, *lists), 1.0)


def mean(of: Callable[..., tf.Tensor], *lists: Array, **named: float) -> tf.Tensor:
    """`mean_of` the loss with this function."""
    return mean_of(LOSS_OF[of]._replace(values=partial(of, **named)), *lists)


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def test_graded_cross_entropy_counts_what_is_known() -> None:
    logits = tf.constant([[2.0, -1.0, 50.0]])
    labels = tf.constant([[0.75, 0.0, 0.0]])
    known = tf.constant([[True, True, False]])
    first = -(0.75 * np.log(sigmoid(2)) + 0.25 * np.log(1 - sigmoid(2)))
    second = -np.log(1 - sigmoid(-1))
    assert float(mean(graded_cross_entropy, logits, labels, known)) == pytest.approx((first + second) / 2, rel=1e-6)
    assert float(mean(graded_cross_entropy, logits, labels, tf.zeros_like(known))) == 0.0


def test_the_best_logit_is_the_intensity() -> None:
    grid = np.linspace(-4, 4, 801)
    known = tf.constant([[True]])
    labels = tf.constant([[0.3]])
    losses = [float(mean(graded_cross_entropy, tf.constant([[x]], tf.float32), labels, known)) for x in grid]
    assert sigmoid(grid[int(np.argmin(losses))]) == pytest.approx(0.3, abs=0.01)


def test_impression_softmax_by_hand() -> None:
    logits = tf.constant([[1.0, 2.0, 0.0, 9.0], [0.0, 0.0, 0.0, 0.0]])
    labels = tf.constant([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    present = tf.constant([[True, True, True, False], [True, True, True, True]])
    total = np.exp(1) + np.exp(2) + 1
    expected = -(1.0 * np.log(np.exp(1) / total) + 0.5 * np.log(np.exp(2) / total)) / 1.5
    assert float(mean(impression_softmax, logits, labels, present)) == pytest.approx(expected, rel=1e-6)
    assert float(mean(impression_softmax, logits[1:], labels[1:], present[1:])) == 0.0


def test_impression_softmax_ignores_a_shift_and_has_no_gradient_at_padding() -> None:
    logits = tf.Variable([[1.0, 2.0, 5.0]])
    labels, present = tf.constant([[0.0, 1.0, 0.0]]), tf.constant([[True, True, False]])
    with tf.GradientTape() as tape:
        loss = mean(impression_softmax, logits, labels, present)
    gradient = tape.gradient(loss, logits).numpy()[0]
    assert gradient[2] == 0.0
    assert gradient[0] > 0 > gradient[1]
    assert float(mean(impression_softmax, logits + 7.0, labels, present)) == pytest.approx(float(loss), rel=1e-5)


def test_masked_token_by_hand() -> None:
    logits = tf.math.log(tf.constant([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    expected = -(np.log(0.25) + np.log(0.8)) / 2
    assert float(tf.reduce_mean(masked_token(logits, tf.constant([1, 2])))) == pytest.approx(expected, rel=1e-6)


LISTS = (
    np.array([[1.0, 0.25, 0.0, 9.0], [0.3, -0.4, 2.0, 0.1], [5.0, 1.0, 2.0, 3.0]], np.float32),
    np.array([[0.5, 1.0, 0.0, 1.0], [0.0, 0.75, 0.25, 0.75], [0.5, 0.5, 0.5, 1.0]], np.float32),
    np.array([[True, True, True, False], [True, True, True, True], [True, True, True, False]]),
)
OF_LISTS = [impression_softmax, listnet, pairwise_logistic]
OF_EACH = [graded_cross_entropy, huber]


def gradient(of: Callable[..., tf.Tensor], logits: np.ndarray, *rest: np.ndarray, **named: float) -> np.ndarray:
    scores = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = mean(of, scores, *rest, **named)
    return tape.gradient(loss, scores).numpy()


def test_listnet_is_the_divergence_of_two_distributions_plus_the_entropy_of_what_is_wanted() -> None:
    logits, labels, present = LISTS
    expected = []
    for row in (0, 1):  # the labels of row 2 are equal where something is
        here = present[row]
        wanted, found = softmax(labels[row][here] / 0.5), softmax(logits[row][here])
        expected.append(entropy(wanted, found) + entropy(wanted))
    assert float(mean(listnet, *map(tf.constant, LISTS), temperature=0.5)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_listnet_is_least_where_the_logits_are_the_labels_over_the_temperature() -> None:
    _, labels, present = LISTS
    np.testing.assert_allclose(gradient(listnet, labels / 0.1 + 3, labels, present), 0, atol=1e-6)


def test_pairwise_logistic_by_hand() -> None:
    logits, labels, present = LISTS
    rows = []
    for row in (0, 1):
        here = [c for c in range(4) if present[row, c]]
        above = [(i, j) for i in here for j in here if labels[row, i] > labels[row, j]]
        weights = [labels[row, i] - labels[row, j] for i, j in above]
        rows.append(np.average([np.log1p(np.exp(logits[row, j] - logits[row, i])) for i, j in above], weights=weights))
    assert float(mean(pairwise_logistic, *map(tf.constant, LISTS))) == pytest.approx(np.mean(rows), rel=1e-5)


def test_pairwise_logistic_is_zero_for_a_wide_margin_and_linear_for_a_wrong_one() -> None:
    labels, present = tf.constant([[1.0, 0.5, 0.0]]), tf.constant([[True] * 3])
    right = tf.constant([[800.0, 400.0, 0.0]])
    assert float(mean(pairwise_logistic, right, labels, present)) == 0.0
    # Of 400, 800 and 400 with the weights 1/2, 1 and 1/2.
    assert float(mean(pairwise_logistic, -right, labels, present)) == pytest.approx(600.0, rel=1e-6)


def test_huber_is_quadratic_within_delta_and_linear_beyond() -> None:
    probability = np.array([[0.5, 0.35, 0.8, 0.05]], np.float32)
    labels = np.array([[0.4, 0.5, 0.0, 1.0]], np.float32)
    logits, known = np.log(probability / (1 - probability)), np.ones((1, 4), bool)
    expected = scipy_huber(0.2, probability - labels)
    for column in range(4):
        one = (array[:, column : column + 1] for array in (logits, labels, known))
        assert float(mean(huber, *map(tf.constant, one), delta=0.2)) == pytest.approx(expected[0, column], rel=1e-4)
    assert float(mean(huber, logits, labels, known, delta=0.2)) == pytest.approx(expected.mean(), 1e-5)
    assert expected[0, 0] == pytest.approx(0.1**2 / 2, rel=1e-4)
    # dσ/ds = σ (1 - σ) times the error, at most delta.
    slope = np.clip(probability - labels, -0.2, 0.2) * probability * (1 - probability) / 4
    np.testing.assert_allclose(gradient(huber, logits, labels, known, delta=0.2), slope, rtol=1e-4)


@pytest.mark.parametrize("of", OF_LISTS)
def test_losses_of_lists_ignore_a_shift_and_raise_what_is_wanted(of: Callable[..., tf.Tensor]) -> None:
    logits, labels, present = LISTS
    shifted = logits + np.array([[3.0], [-7.0], [1.0]], np.float32)
    plain = float(mean(of, logits, labels, present))
    assert float(mean(of, shifted, labels, present)) == pytest.approx(plain, rel=1e-5)
    slopes = gradient(of, np.zeros_like(logits), labels, present)
    assert slopes[0, 1] < 0 < slopes[0, 2]  # the best of the list and the worst
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=1e-7)


@pytest.mark.parametrize("of", OF_LISTS + OF_EACH)
def test_what_does_not_count_changes_nothing(of: Callable[..., tf.Tensor]) -> None:
    logits, labels, counted = LISTS
    other = [np.where(counted, array, value).astype(np.float32) for array, value in ((logits, 50), (labels, 0.1))]
    assert float(mean(of, *other, counted)) == float(mean(of, logits, labels, counted))
    assert (gradient(of, logits, labels, counted)[~counted] == 0).all()
    nothing = mean(of, logits, labels, np.zeros_like(counted))
    assert float(nothing) == 0.0
    assert nothing.dtype == tf.float32
    assert (gradient(of, logits, labels, np.zeros_like(counted)) == 0).all()


@pytest.mark.parametrize("of", [listnet, pairwise_logistic])
def test_lists_of_one_label_are_no_order_and_no_part_of_the_mean(of: Callable[..., tf.Tensor]) -> None:
    logits, labels, present = LISTS
    two = float(mean(of, logits[:2], labels[:2], present[:2]))
    assert float(mean(of, logits, labels, present)) == pytest.approx(two, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_only_what_compares_with_a_sum_is_corrected_and_only_lists_count_the_unknown(name: str) -> None:
    logits, labels, present = map(tf.constant, LISTS)
    known = tf.constant(present.numpy() & np.array([[True, True, False, False]]))
    rate = tf.constant(np.random.default_rng(0).normal(size=logits.shape).astype(np.float32))
    loss = LOSSES[name]
    counted = known if loss.pointwise else present
    plain = total(loss, logits, labels, present, known)
    number = count(loss, labels, present, known)
    assert float(plain / number) == pytest.approx(float(mean_of(loss, logits, labels, counted)), rel=1e-6)
    corrected = total(loss, logits, labels, present, known, rate)
    expected = mean_of(loss, logits - rate, labels, counted) if loss.normalised else plain / number
    if not loss.reads_rates:  # tests/model/test_gbce_loss.py
        assert float(corrected / number) == pytest.approx(float(expected), rel=1e-6)
