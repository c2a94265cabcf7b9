"""Beyond accuracy: worked by hand, and against plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from interestrec.metrics import list_diversity
from tests.examples import examples

TWO = np.array([0, 2, 4])


def features(*sets: set[int]) -> sparse.csr_array:
    return sparse.csr_array(np.array([[int(f in one) for f in range(6)] for one in sets]))


def test_novelty_by_hand() -> None:
    had = np.array([8, 2, 0])  # of 8 users; nobody's item counts as one user's
    assert list_diversity.novelty(TWO, np.array([0, 1, 1, 2]), had, 8) == pytest.approx([(0 + 2) / 2, (2 + 3) / 2])


def test_diversity_by_hand() -> None:
    sets = features({0, 1}, {1, 2}, {0, 1}, set())
    offsets = np.array([0, 3, 4, 6])
    found = list_diversity.diversity(offsets, np.array([0, 1, 2, 0, 3, 3]), sets)
    assert found[0] == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)
    assert math.isnan(found[1])  # a single item is no pair
    assert found[2] == 1


def test_category_calibration_by_hand() -> None:
    category = np.array([0, 1, 2, -1])
    past_offsets, past = np.array([0, 4, 5, 6]), np.array([0, 0, 0, 1, 3, 0])
    found = list_diversity.category_calibration(
        np.array([0, 4, 5, 6]), np.array([0, 1, 2, 3, 0, 3]), past_offsets, past, category
    )
    # p = (3/4, 1/4); q = a third each, the item without a category aside
    expected = sum(p * math.log(p / (0.99 / 3 + 0.01 * p)) for p in (0.75, 0.25))
    assert found[0] == pytest.approx(expected)
    assert np.isnan(found[1:]).all()  # no category in the history; none in the list


@examples(50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_category_calibration_is_no_less_than_0_and_0_for_the_same_mixture(past: list[int], listed: list[int]) -> None:
    def cost(items: list[int]) -> float:
        ends = np.array([0, len(items)]), np.array(items), np.array([0, len(past)]), np.array(past)
        return float(list_diversity.category_calibration(*ends, np.arange(5))[0])

    assert cost(past * 2) == pytest.approx(0, abs=1e-12)
    assert 0 <= cost(listed) <= math.log(100) + 1e-9


def test_popularity_lift_by_hand() -> None:
    popularity = np.array([10.0, 4.0, 0.0])
    past_offsets, past = np.array([0, 2, 3]), np.array([1, 2, 2])
    found = list_diversity.popularity_lift(TWO, np.array([0, 2, 0, 0]), past_offsets, past, popularity)
    assert found[0] == pytest.approx(5 / 2 - 1)
    assert math.isnan(found[1])  # what the user had was popular with nobody


def test_coverage_and_gini_by_hand() -> None:
    assert list_diversity.coverage(np.array([3, 0, 1, 0])) == 0.5
    assert list_diversity.gini(np.array([2, 2, 2])) == pytest.approx(0)
    assert list_diversity.gini(np.array([0, 0, 0, 5])) == pytest.approx(3 / 4)
    assert math.isnan(list_diversity.gini(np.zeros(3, dtype=int)))


@examples(50)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any))
def test_gini_is_half_the_relative_mean_difference(exposure: list[int]) -> None:
    pairs = [abs(a - b) for a, b in itertools.product(exposure, repeat=2)]
    assert list_diversity.gini(np.array(exposure)) == pytest.approx(np.mean(pairs) / 2 / np.mean(exposure))


@examples(50)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 1 << 20]))
def test_diversity_is_the_mean_over_all_pairs_whatever_the_blocks(seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    known = (rng.random((9, 5)) < 0.4).astype(np.int32)
    lists = [rng.permutation(9)[: rng.integers(0, 6)] for _ in range(6)]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_diversity, "_PAIR_BLOCK", block)
        found = list_diversity.diversity(offsets, np.concatenate(lists).astype(int), sparse.csr_array(known))
    for value, items in zip(found, lists, strict=True):
        pairs = [
            (known[a] & known[b]).sum() / max((known[a] | known[b]).sum(), 1)
            for a, b in itertools.combinations(items, 2)
        ]
        assert value == pytest.approx(1 - np.mean(pairs)) if pairs else math.isnan(value)


def test_no_lists_have_no_values() -> None:
    none, nobody = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    one = np.ones(3)
    assert list_diversity.novelty(nobody, none, one, 3).shape == (0,)
    assert list_diversity.diversity(nobody, none, features({0}, {1}, set())).shape == (0,)
    assert list_diversity.category_calibration(nobody, none, nobody, none, np.array([-1, -1])).shape == (0,)
    assert list_diversity.popularity_lift(nobody, none, nobody, none, one).shape == (0,)


def test_a_single_exposure_is_as_unequal_as_can_be() -> None:
    assert list_diversity.gini(np.array([0, 0, 0, 1])) == pytest.approx(0.75)
