"""Standardising and fitting blend weights."""

import numpy as np
import pytest

from interestrec.scoring.blend import fit_weights, list_losses, standardise_lists, standardise_rows, telling


def test_lists_get_zero_mean_and_unit_deviation_and_equal_scores_zero() -> None:
    z = standardise_lists(np.array([1.0, 3.0, 5.0, 5.0, 5.0], dtype=np.float32), np.array([0, 2, 5]))
    assert z.tolist() == [-1, 1, 0, 0, 0]


def test_rows_are_standardised_over_known_items_only() -> None:
    known = np.array([True, True, False])
    z = standardise_rows(np.array([[1.0, 3.0, 100.0], [2.0, 2.0, 2.0]], dtype=np.float32), known)
    assert z.tolist() == [[-1, 1, 98], [0, 0, 0]]


def simulated(weights: list[float], lists: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choices drawn from the model: one of five by the softmax of the weighted features."""
    rng = np.random.default_rng(11)
    features = rng.normal(size=(lists, 5, len(weights)))
    utility = features @ np.array(weights) + rng.gumbel(size=(lists, 5))
    relevant = utility == utility.max(axis=1, keepdims=True)
    return features.reshape(-1, len(weights)), np.arange(0, 5 * lists + 1, 5), relevant.ravel()


def test_the_weights_behind_simulated_choices_come_back() -> None:
    assert fit_weights(*simulated([1.5, 0.5, 0.0], 4000)) == pytest.approx([1.5, 0.5, 0.0], abs=0.08)


def test_a_misleading_component_gets_nothing_rather_than_a_negative_weight_unless_it_is_free() -> None:
    features, offsets, relevant = simulated([1.0, -1.0], 500)
    bounded = fit_weights(features, offsets, relevant)
    assert bounded[1] == 0
    assert bounded[0] > 0.5
    assert fit_weights(features, offsets, relevant, free=1)[1] < -0.5


def test_lists_of_one_class_say_nothing_and_without_others_all_weigh_the_same() -> None:
    features = np.random.default_rng(0).normal(size=(4, 2))
    offsets, one_class = np.array([0, 2, 4]), np.array([True, True, False, False])
    assert telling(offsets, one_class).tolist() == [False, False]
    assert fit_weights(features, offsets, one_class).tolist() == [0.5, 0.5]
    assert fit_weights(features, offsets, one_class, free=1).tolist() == [1.0, 0.0]
    only_misleading = fit_weights(np.array([[0.0], [1.0]]), np.array([0, 2]), np.array([True, False]))
    assert only_misleading.tolist() == [1.0]


def test_a_lists_loss_is_the_mean_surprise_of_its_relevant_rows() -> None:
    score, relevant = np.array([0.0, np.log(3.0), 5.0, 5.0]), np.array([False, True, True, True])
    losses = list_losses(score, np.array([0, 2, 4]), relevant)
    np.testing.assert_allclose(losses, [-np.log(3 / 4), -np.log(1 / 2)])
    assert np.isnan(list_losses(score, np.array([0, 2, 4]), np.array([False, True, False, False]))[1])
