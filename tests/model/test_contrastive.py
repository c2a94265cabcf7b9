"""The contrastive loss of two views, worked by hand and against scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss
from sklearn.metrics.pairwise import cosine_similarity

from interestrec.model.contrastive import info_nce


def views(seed: int, texts: int = 5, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.random.default_rng(seed).normal(0, 3, (2, texts, width)).astype(np.float32)
    return first, second


def test_two_texts_by_hand() -> None:
    # Cosines are 1 and 0.6 in the first row, 0 and 0.8 in the second; over a temperature of 1/2 twice that.
    first, second = np.array([[2.0, 0.0], [0.0, 3.0]], np.float32), np.array([[0.5, 0.0], [3.0, 4.0]], np.float32)
    there = [np.log(1 + np.exp(1.2 - 2)), np.log(1 + np.exp(0 - 1.6))]
    back = [np.log(1 + np.exp(0 - 2)), np.log(1 + np.exp(1.2 - 1.6))]
    found = info_nce(first, second, 0.5)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, (np.array(there) + back) / 2, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_the_mean_is_the_cross_entropy_of_scikit_learn(temperature: float) -> None:
    first, second = views(0)
    cosines = cosine_similarity(first.astype(np.float64), second) / temperature
    sides = [log_loss(np.arange(5), softmax(scores, axis=1)) for scores in (cosines, cosines.T)]
    assert np.mean(info_nce(first, second, temperature)) == pytest.approx(np.mean(sides), rel=1e-4)


def test_equal_texts_are_no_negatives() -> None:
    first, second = views(1)
    same = np.eye(5, dtype=bool)
    same[1, 3] = same[3, 1] = True
    scores = np.exp(cosine_similarity(first, second) / 0.1)
    wanted = []
    for i in range(5):
        others = [j for j in range(5) if {i, j} != {1, 3}]
        wanted.append(np.log(scores[i, others].sum() * scores[others, i].sum() / scores[i, i] ** 2))
    for diagonal in (True, False):
        np.fill_diagonal(same, diagonal)
        np.testing.assert_allclose(info_nce(first, second, 0.1, same), np.array(wanted) / 2, rtol=1e-3, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_sides_lengths_and_order_do_not_matter(seed: int, texts: int) -> None:
    first, second = views(seed, texts)
    rng = np.random.default_rng(seed)
    same = rng.random((texts, texts)) < 0.3
    same |= same.T
    found = info_nce(first, second, 0.2, same).numpy()
    assert (found >= 0).all()
    np.testing.assert_allclose(info_nce(second, first, 0.2, same), found, rtol=1e-4, atol=1e-5)
    longer = [vectors * rng.uniform(0.1, 9, (texts, 1)).astype(np.float32) for vectors in (first, second)]
    np.testing.assert_allclose(info_nce(*longer, 0.2, same), found, rtol=1e-4, atol=1e-5)
    order = rng.permutation(texts)
    moved = info_nce(first[order], second[order], 0.2, same[np.ix_(order, order)])
    np.testing.assert_allclose(moved, found[order], rtol=1e-4, atol=1e-5)


def test_nothing_to_tell_apart_is_certain_and_equal_vectors_are_a_guess() -> None:
    first, second = views(2)
    np.testing.assert_array_equal(info_nce(first, second, 0.05, np.ones((5, 5), bool)), np.zeros(5))
    np.testing.assert_array_equal(info_nce(first[:1], second[:1], 0.05), [0])
    for same in (None, np.zeros((0, 0), bool)):
        assert info_nce(first[:0], second[:0], 0.05, same).shape == (0,)
    np.testing.assert_allclose(info_nce(np.ones((5, 4), np.float32), np.ones((5, 4), np.float32), 0.05), np.log(5))


def slopes(first: np.ndarray, second: np.ndarray, same: np.ndarray | None = None) -> list[np.ndarray]:
    variables = [tf.Variable(first), tf.Variable(second)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(info_nce(*variables, 0.05, same))
    return [slope.numpy() for slope in tape.gradient(loss, variables)]


def test_a_small_step_against_the_gradient_lowers_the_loss_by_its_square() -> None:
    both = views(3)
    found = slopes(*both)
    step = 1e-3
    moved = [vectors - step * slope for vectors, slope in zip(both, found, strict=True)]
    lower = np.sum(info_nce(*both, 0.05)) - np.sum(info_nce(*moved, 0.05))
    assert lower == pytest.approx(step * sum(np.sum(slope**2) for slope in found), rel=0.1)


def test_gradients_stay_finite_at_a_zero_vector_and_are_zero_where_nothing_is_a_negative() -> None:
    first, second = views(3)
    first[0] = 0
    assert all(np.isfinite(slope).all() for slope in slopes(first, second))
    for slope in slopes(first, second, np.ones((5, 5), bool)):
        np.testing.assert_array_equal(slope, 0)


def test_one_graph_does_for_batches_of_any_size() -> None:
    kinds = [tf.TensorSpec([None, None], kind) for kind in (tf.float32, tf.float32, tf.bool)]
    graph = tf.function(lambda first, second, same: info_nce(first, second, 0.1, same), input_signature=kinds)
    for texts in (2, 5):
        both = views(4, texts)
        np.testing.assert_allclose(graph(*both, np.eye(texts, dtype=bool)), info_nce(*both, 0.1), rtol=1e-5)
    assert graph.experimental_get_tracing_count() == 1
