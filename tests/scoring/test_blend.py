"""Standardising and fitting blend weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from interestrec.scoring.blend import fit_weights, has_both_classes, list_losses, standardise_lists, standardise_rows
from tests.examples import examples


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
    assert has_both_classes(offsets, one_class).tolist() == [False, False]
    assert fit_weights(features, offsets, one_class).tolist() == [0.5, 0.5]
    assert fit_weights(features, offsets, one_class, free=1).tolist() == [1.0, 0.0]
    only_misleading = fit_weights(np.array([[0.0], [1.0]]), np.array([0, 2]), np.array([True, False]))
    assert only_misleading.tolist() == [1.0]


def test_a_lists_loss_is_the_mean_surprise_of_its_relevant_rows() -> None:
    score, relevant = np.array([0.0, np.log(3.0), 5.0, 5.0]), np.array([False, True, True, True])
    losses = list_losses(score, np.array([0, 2, 4]), relevant)
    np.testing.assert_allclose(losses, [-np.log(3 / 4), -np.log(1 / 2)])
    assert np.isnan(list_losses(score, np.array([0, 2, 4]), np.array([False, True, False, False]))[1])


SEEDS = st.integers(0, 10**9)


@examples(100)
@given(SEEDS, st.floats(0.01, 100), st.floats(-100, 100))
def test_standardised_lists_know_neither_scale_nor_shift(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 7, 5))])
    score = rng.integers(-3, 4, offsets[-1]).astype(float)
    found = standardise_lists(score, offsets)
    np.testing.assert_allclose(standardise_lists(scale * score + shift, offsets), found, atol=1e-6)
    for start, stop in itertools.pairwise(offsets):
        part = found[start:stop]
        assert part.mean() == pytest.approx(0, abs=1e-9)
        assert part.std() == pytest.approx(float(np.ptp(score[start:stop]) > 0), abs=1e-9)
    rows = standardise_rows(score[None], np.ones(len(score), bool))
    np.testing.assert_allclose(rows[0], standardise_lists(score, np.array([0, len(score)])), atol=1e-9)


@examples(100)
@given(SEEDS)
def test_losses_of_lists_are_those_of_the_softmax(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 7, 5))])
    score, relevant = rng.normal(0, 200, offsets[-1]), rng.random(offsets[-1]) < 0.4
    losses, tells = list_losses(score, offsets, relevant), has_both_classes(offsets, relevant)
    for n, (start, stop) in enumerate(itertools.pairwise(offsets)):
        wanted = -log_softmax(score[start:stop])[relevant[start:stop]]
        assert losses[n] == pytest.approx(wanted.mean() if len(wanted) else np.nan, nan_ok=True)
        assert tells[n] == (0 < relevant[start:stop].sum() < stop - start)


@examples(50)
@given(SEEDS, st.integers(0, 2))
def test_weights_are_bounded_and_no_worse_than_equal_ones(seed: int, free: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.arange(0, 41, 4)
    features, relevant = rng.normal(size=(40, 3)), rng.random(40) < 0.3
    found = fit_weights(features, offsets, relevant, free)
    assert (found[: 3 - free] >= 0).all()
    equal = np.append(np.full(3 - free, 1 / (3 - free)), np.zeros(free))
    tells = has_both_classes(offsets, relevant)
    rows = np.repeat(tells, 4)

    def loss(weights: np.ndarray) -> float:
        each = list_losses(features @ weights, offsets, relevant)[tells]
        return float((each * relevant.reshape(-1, 4).sum(axis=1)[tells]).sum() / max(relevant[rows].sum(), 1))

    # The ridge is 1e-3 on the weights; it may cost as much as it saves.
    assert loss(found) + 5e-4 * found @ found <= loss(equal) + 5e-4 * equal @ equal + 1e-9
