"""Intervals, tests and corrections: against theory, and against exhaustive enumeration."""

import itertools

import numpy as np
import pytest

from interestrec.metrics import bootstrap
from interestrec.metrics.intensity import identity


def column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(5, 1, (400, 1))
    drawn = bootstrap.resampled_values(values, np.ones((400, 1)), identity, 4000, seed=1)
    low, high = bootstrap.interval(drawn)
    half = 1.96 * values.std() / 20
    assert [low[0], high[0]] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.01)


def test_users_weigh_as_much_as_they_have_impressions() -> None:
    drawn = bootstrap.resampled_values(column([30.0, 0.0]), column([3.0, 1.0]), identity, 500, seed=2)
    assert set(drawn[:, 0]) == {10.0, 7.5, 0.0}  # first user twice, both, second user twice


def test_equal_seeds_draw_the_same_users_in_separate_calls() -> None:
    values, ones = np.random.default_rng(3).random((50, 2)), np.ones((50, 2))
    both = bootstrap.resampled_values(values, ones, identity, 20, seed=4)
    second = bootstrap.resampled_values(values[:, 1:], ones[:, 1:], identity, 20, seed=4)
    np.testing.assert_array_equal(both[:, 1], second[:, 0])


def test_the_randomisation_p_approaches_that_of_all_sign_flips() -> None:
    a, b = np.array([0.9, 0.8, 0.4, 0.7, 0.6, 0.9]), np.array([0.5, 0.7, 0.5, 0.3, 0.6, 0.2])
    flips = [abs(np.dot(s, a - b)) for s in itertools.product([-1, 1], repeat=6)]
    exact = np.mean([flip >= abs((a - b).sum()) - 1e-12 for flip in flips])
    p = bootstrap.randomisation_p(column(list(a)), column(list(b)), np.ones((6, 1)), identity, 20_000, seed=5)
    assert p[0] == pytest.approx(exact, abs=0.01)


def test_equal_systems_differ_without_evidence_and_far_ones_with_the_least_p() -> None:
    same = np.random.default_rng(6).random((40, 1))
    ones = np.ones((40, 1))
    assert bootstrap.randomisation_p(same, same, ones, identity, 99, seed=7)[0] == 1.0
    assert bootstrap.randomisation_p(same + 5, same, ones, identity, 99, seed=7)[0] == pytest.approx(0.01)


def test_p_of_a_rooted_mean_compares_roots() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.random((30, 1)), rng.random((30, 1))
    ones = np.ones((30, 1))
    rooted = bootstrap.randomisation_p(a, b, ones, np.sqrt, 2000, seed=9)
    plain = bootstrap.randomisation_p(a, b, ones, identity, 2000, seed=9)
    assert rooted[0] == pytest.approx(plain[0], abs=0.02)  # the root keeps the order of |difference| nearly


def test_holm_by_hand() -> None:
    assert bootstrap.holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert bootstrap.holm(np.array([0.9, 0.8])).max() == 1.0


def test_a_column_without_counts_has_no_interval() -> None:
    drawn = bootstrap.resampled_values(np.zeros((3, 1)), np.zeros((3, 1)), identity, 10, seed=0)
    assert np.isnan(bootstrap.interval(drawn)).all()
