"""Weights by segments, and that ties go to the next voter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.scoring.blend import Powers, standardise_rows
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights, item_weights
from tests.examples import examples


def test_a_score_takes_the_weights_of_its_user_and_item() -> None:
    known = SegmentWeights(
        ItemWeights(np.array([1.0, 2.0])), ItemWeights(np.array([10.0, 20.0])), scale=2.0, offset=0.5
    )
    new = SegmentWeights(ItemWeights(np.array([3.0, 4.0])), ItemWeights(np.array([30.0, 40.0])), offset=-7.0)
    parts = [np.ones((2, 3)), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])]
    cold = np.array([[False, True, False]])
    score = SegmentBlend(known, new)(parts, cold, np.array([False, True]))
    assert score.tolist() == [[1 + 2, 0.5 + 2 * (10 + 40), 1 + 6], [3 + 4, -7 + 30 + 80, 3 + 12]]


def test_rows_of_impressions_take_the_weights_of_their_own_item() -> None:
    weights = SegmentWeights(ItemWeights(np.array([1.0])), ItemWeights(np.array([5.0])), offset=1.0)
    blend = SegmentBlend(weights, SegmentWeights(ItemWeights(np.array([2.0]))))
    score = blend([np.array([1.0, 1.0, 1.0])], np.array([False, True, True]), np.array([False, False, True]))
    assert score.tolist() == [1.0, 6.0, 2.0]


def test_weights_are_shares_and_all_voters_have_the_last_word_by_their_quality() -> None:
    weights = item_weights(np.array([3.0, 1.0, 0.0]), np.array([0.1, 0.0, 0.3]), 0.5, voters=4)
    shares = np.array([0.101, 0.001, 0.301]) / 0.403
    np.testing.assert_allclose(weights.values, [*(np.array([0.75, 0.25, 0.0]) + 1e-6 * shares), 1e-9])
    assert weights.power == 0.5
    equal = item_weights(np.zeros(2), np.zeros(2), 1.0, voters=2)
    np.testing.assert_allclose(equal.values, 0.5, atol=1e-5)


@examples(100)
@given(st.integers(0, 10**9))
def test_two_items_are_tied_only_where_no_voter_tells_them_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    voters = int(rng.integers(1, 5))
    parts = [rng.integers(0, int(rng.integers(1, 4)), 12).astype(np.float32) for _ in range(voters)]
    components = voters - int(voters > 1 and rng.random() < 0.5)
    weights = rng.integers(0, 2, components).astype(float)
    score = item_weights(weights, rng.random(components), 1.0, voters).utility(Powers(parts))
    alike = np.all([part[:, None] == part[None, :] for part in parts], axis=0)
    np.testing.assert_array_equal(score[:, None] == score[None, :], alike)


def test_a_component_that_says_the_same_of_all_leaves_the_others_their_order() -> None:
    weights = item_weights(np.array([0.9, 0.06, 0.04]), np.ones(3), 1.0, voters=3)
    flat, first, second = np.zeros(3), np.array([1.0, -1.0, 0.0]), np.array([-1.0, 0.0, 1.0])
    found = weights.utility(Powers([flat, first, second]))
    np.testing.assert_array_equal(np.argsort(-found), np.argsort(-(0.6 * first + 0.4 * second)))


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_utilities_are_sums_of_powers(power: float) -> None:
    parts = [np.array([4.0, -9.0]), np.array([1.0, 16.0])]
    expected = 2 * np.sign(parts[0]) * np.abs(parts[0]) ** power + 3 * parts[1] ** power
    np.testing.assert_allclose(ItemWeights(np.array([2.0, 3.0]), power).utility(Powers(parts)), expected)


@examples(50)
@given(st.integers(0, 10**9))
def test_rows_are_blended_as_their_standardised_scores_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, voters = (int(rng.integers(0, 70)), int(rng.integers(1, 40))), int(rng.integers(1, 4))
    scores = [
        rng.normal(size=shape).astype(np.float32) * 10.0 ** rng.integers(-3, 4) + rng.normal() for _ in range(voters)
    ]
    scores[0][::3] = 0.25  # tells nothing apart
    over, cold, new = (rng.random(size) < share for size, share in ((shape[1], 0.8), (shape[1], 0.3), (shape[0], 0.5)))
    over[0] = True
    weights = [ItemWeights(rng.random(voters), power) for power in (1.0, 0.5, 1.0)]
    blend = SegmentBlend(SegmentWeights(weights[0], weights[1], 0.7, -0.2), SegmentWeights(weights[2]))
    expected = blend([standardise_rows(score, over) for score in scores], cold[None], new)
    np.testing.assert_allclose(blend.of_rows(scores, over, cold, new), expected, rtol=1e-5, atol=1e-5)
