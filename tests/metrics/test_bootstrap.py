"""Intervals, tests and corrections: against theory, and against exhaustive enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.metrics import bootstrap
from interestrec.metrics.bootstrap import UserValues
from tests.examples import examples


def everyone(*columns: list[float] | np.ndarray) -> UserValues:
    stacked = np.stack([np.asarray(column, float) for column in columns], axis=1)
    return UserValues(np.arange(len(stacked)), stacked)


def resampled(table: UserValues, resamples: int, seed: int) -> np.ndarray:
    return bootstrap.resample([table], len(table.user), resamples, seed)[0]


def p_of(difference: np.ndarray, resamples: int, seed: int) -> float:
    swapped = bootstrap.swap_signs([everyone(difference)], len(difference), resamples, seed)[0]
    return float(bootstrap.p_value(difference.sum(keepdims=True), swapped)[0])


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(5, 1, 1400)  # more than two blocks of users
    drawn = resampled(everyone(values, np.ones(1400)), 4000, seed=1)
    low, high = bootstrap.interval(drawn[:, [0]] / drawn[:, [1]])
    half = 1.96 * values.std() / np.sqrt(1400)
    assert [low[0], high[0]] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.006)


@examples(30)
@given(st.integers(1, 1300), st.integers(1, 9))
def test_as_many_users_are_drawn_as_there_are(n_users: int, resamples: int) -> None:
    drawn = resampled(everyone(np.ones(n_users), np.arange(n_users)), resamples, seed=3)
    assert (drawn[:, 0] == n_users).all()
    assert (drawn[:, 1] <= n_users * (n_users - 1)).all()


def test_every_user_is_drawn_alike_and_as_a_binomial_says() -> None:
    n_users, resamples = 700, 3000
    one_each = UserValues(np.arange(n_users), np.eye(n_users))
    times = bootstrap.resample([one_each], n_users, resamples, seed=5)[0]
    assert times.mean(axis=0) == pytest.approx(np.ones(n_users), abs=5 / np.sqrt(resamples))
    assert times.var() == pytest.approx(1 - 1 / n_users, rel=0.01)
    across = np.corrcoef(times[:, :512].sum(axis=1), times[:, 512:].sum(axis=1))[0, 1]
    assert across == pytest.approx(-1)  # blocks share the draws


def test_users_weigh_as_much_as_they_have_impressions() -> None:
    drawn = resampled(everyone([30.0, 0.0], [3.0, 1.0]), 500, seed=2)
    assert set(drawn[:, 0] / drawn[:, 1]) == {10.0, 7.5, 0.0}  # first user twice, both, second user twice


def test_parts_of_the_users_see_the_draws_of_all() -> None:
    values = np.random.default_rng(3).random(1200)
    some = np.arange(1, 1200, 3)
    whole, part = bootstrap.resample(
        [everyone(values * (np.arange(1200) % 3 == 1)), UserValues(some, values[some, None])], 1200, 20, 4
    )
    np.testing.assert_allclose(whole, part)
    again = bootstrap.resample([UserValues(some, values[some, None])], 1200, 20, seed=4)[0]
    np.testing.assert_array_equal(again, part)


def test_the_p_approaches_that_of_all_sign_flips() -> None:
    a, b = np.array([0.9, 0.8, 0.4, 0.7, 0.6, 0.9]), np.array([0.5, 0.7, 0.5, 0.3, 0.6, 0.2])
    flips = [abs(np.dot(s, a - b)) for s in itertools.product([-1, 1], repeat=6)]
    exact = np.mean([flip >= abs((a - b).sum()) - 1e-12 for flip in flips])
    assert p_of(a - b, 20_000, seed=5) == pytest.approx(exact, abs=0.01)


def test_equal_systems_differ_without_evidence_and_far_ones_with_the_least_p() -> None:
    assert p_of(np.zeros(40), 99, seed=7) == 1.0
    assert p_of(np.full(40, 5.0), 99, seed=7) == pytest.approx(0.01)


def test_signs_are_fair_coins_of_each_user() -> None:
    n_users, resamples = 600, 2001
    signs = bootstrap.swap_signs([UserValues(np.arange(n_users), np.eye(n_users))], n_users, resamples, seed=8)[0]
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.abs(signs.mean(axis=0)).max() < 5 / np.sqrt(resamples)
    assert np.abs(np.corrcoef(signs[:, :40].T) - np.eye(40)).max() < 0.12


def chance(difference: np.ndarray, count: np.ndarray, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    """The difference of means over lists, and the same and the users' balance where they are swapped at random."""
    drawn = bootstrap.swap_signs([everyone(difference, count)], len(count), resamples, seed)[0] / count.sum()
    return difference.sum(keepdims=True) / count.sum(), drawn[:, [0]], drawn[:, 1]


def test_the_interval_holds_what_the_test_does_not_reject() -> None:
    rng = np.random.default_rng(2)
    for users, resamples in ((7, 99), (12, 400), (60, 999)):
        count = rng.integers(1, 4, users).astype(float)
        difference = rng.normal(0.2, 0.5, users) * count
        found = chance(difference, count, resamples, seed=3)
        (low,), (high,) = bootstrap.randomisation_interval(*found)
        for delta in (low, high):
            for inward in (1e-6, -1e-6):  # the hypothesis is tested by what is left of each user without it
                moved = delta + (inward if delta == low else -inward)
                observed, by_chance, _ = chance(difference - moved * count, count, resamples, seed=3)
                assert (bootstrap.p_value(observed, by_chance)[0] >= 0.05) == (inward > 0), (users, delta)


def test_the_interval_of_a_test_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(5, 1, 1400)
    (low,), (high,) = bootstrap.randomisation_interval(*chance(values, np.ones(1400), 4000, seed=1))
    half = 1.96 * values.std() / np.sqrt(1400)
    assert [low, high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.006)


def test_five_users_reject_no_difference_and_few_draws_neither() -> None:
    for users, resamples in ((4, 1000), (30, 10)):
        low, high = bootstrap.randomisation_interval(*chance(np.ones(users), np.ones(users), resamples, seed=1))
        assert (low, high) == (-np.inf, np.inf)


@examples(200)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0, 0.3]), min_size=1, max_size=12), st.integers(0, 99))
def test_the_interval_excludes_0_exactly_where_p_is_below_5_percent(differences: list[float], seed: int) -> None:
    count = np.random.default_rng(seed).integers(1, 4, len(differences)).astype(float)
    observed, by_chance, balance = chance(np.array(differences) * count, count, 200, seed)
    low, high = bootstrap.randomisation_interval(observed, by_chance, balance)
    assert low <= observed <= high
    assert (bootstrap.p_value(observed, by_chance)[0] < 0.05) == (low[0] > 0 or high[0] < 0)


def test_holm_by_hand() -> None:
    assert bootstrap.holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert bootstrap.holm(np.array([0.9, 0.8])).max() == 1.0


def test_what_is_undefined_in_every_draw_has_no_interval() -> None:
    assert np.isnan(bootstrap.interval(np.full((10, 1), np.nan))).all()
    assert bootstrap.resample([UserValues(np.zeros(0, np.int64), np.zeros((0, 2)))], 0, 3, seed=0)[0].shape == (3, 2)
