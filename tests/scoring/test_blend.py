"""Standardising and fitting blend weights."""

import numpy as np
import pytest

from interestrec.scoring.blend import fit_weights, standardise_lists, standardise_rows


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
    fitted = fit_weights(*simulated([1.5, 0.5, 0.0], 4000))
    assert fitted.weights == pytest.approx([1.5, 0.5, 0.0], abs=0.08)
    assert fitted.lists == 4000
    assert fitted.loss_fitted < fitted.loss_equal


def test_a_misleading_component_gets_nothing_rather_than_a_negative_weight() -> None:
    fitted = fit_weights(*simulated([1.0, -1.0], 500))
    assert fitted.weights[1] == 0
    assert fitted.weights[0] > 0.5


def test_lists_of_one_class_say_nothing_and_without_others_all_weigh_the_same() -> None:
    features = np.random.default_rng(0).normal(size=(4, 2))
    nothing = fit_weights(features, np.array([0, 2, 4]), np.array([True, True, False, False]))
    assert nothing.lists == 0
    assert nothing.weights.tolist() == [0.5, 0.5]
    only_misleading = fit_weights(np.array([[0.0], [1.0]]), np.array([0, 2]), np.array([True, False]))
    assert only_misleading.weights.tolist() == [1.0]
