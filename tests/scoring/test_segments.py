"""Blend weights by segments."""

from dataclasses import replace

import numpy as np
import pytest

from interestrec.scoring.segments import BlendLists, SegmentBlend, SegmentWeights, choose, uniform

COLUMNS, ROWS = 2, 6


def simulated(lists: int, warm: list[float], cold: list[float], new_users: list[float] | None = None) -> BlendLists:
    """Choices of one of six, three of them cold, by the softmax of features weighed as the row's segment wants it."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(lists, ROWS, COLUMNS))
    is_cold = np.tile(np.arange(ROWS) % 2 == 1, (lists, 1))
    new = np.arange(lists) % 2 == 1 if new_users is not None else np.zeros(lists, bool)
    weights = np.where(is_cold[..., None], cold, warm)
    if new_users is not None:
        weights = np.where(new[:, None, None], new_users, weights)
    utility = (features * weights).sum(axis=2) + rng.gumbel(size=(lists, ROWS))
    relevant = utility == utility.max(axis=1, keepdims=True)
    offsets = np.arange(0, lists * ROWS + 1, ROWS)
    all_rows = np.ones(lists * ROWS, dtype=bool)
    return BlendLists(features.reshape(-1, COLUMNS), offsets, relevant.ravel(), is_cold.ravel(), new, all_rows)


def test_a_score_takes_the_weights_of_its_user_and_item() -> None:
    known = SegmentWeights(np.array([1.0, 2.0]), np.array([10.0, 20.0]), offset=0.5)
    new = SegmentWeights(np.array([3.0, 4.0]), np.array([30.0, 40.0]), offset=-7.0)
    parts = [np.ones((2, 3)), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])]
    cold = np.array([[False, True, False]])
    score = SegmentBlend(known, new)(parts, cold, np.array([[False], [True]]))
    assert score.tolist() == [[1 + 2, 0.5 + 10 + 40, 1 + 6], [3 + 4, -7 + 30 + 80, 3 + 12]]


def test_one_kind_of_weights_where_segments_do_not_differ() -> None:
    choice = choose(simulated(600, [1.0, 0.5], [1.0, 0.5]))
    assert choice.segments == "none"
    assert set(choice.held_out) == {"none", "items"}
    assert choice.blend.known is choice.blend.new
    assert choice.blend.known.warm == pytest.approx([1.0, 0.5], abs=0.2)
    assert choice.blend.known.cold is choice.blend.known.warm


def test_cold_items_get_weights_of_their_own_where_they_want_others() -> None:
    choice = choose(simulated(900, [0.0, 1.5], [1.5, 0.0]))
    assert choice.segments == "items"
    assert choice.held_out["items"] < choice.held_out["none"]
    assert choice.blend.known.warm == pytest.approx([0.0, 1.5], abs=0.2)
    assert choice.blend.known.cold == pytest.approx([1.5, 0.0], abs=0.2)


def test_an_offset_says_that_cold_items_are_liked_less_and_may_be_negative() -> None:
    lists = simulated(900, [1.0, 0.0], [1.0, 0.0])
    shifted = lists.features.copy()
    shifted[lists.cold] += 2.0  # the components overrate cold items; in truth they are as good as warm ones
    choice = choose(replace(lists, features=shifted))
    assert choice.segments == "items"
    assert choice.blend.known.offset == pytest.approx(-2.0, abs=0.5)


def test_new_users_get_weights_of_their_own_where_they_want_others() -> None:
    choice = choose(simulated(900, [1.5, 0.0], [1.5, 0.0], new_users=[0.0, 1.5]))
    assert choice.segments == "users"
    assert choice.blend.known.warm == pytest.approx([1.5, 0.0], abs=0.25)
    assert choice.blend.new.warm == pytest.approx([0.0, 1.5], abs=0.25)


def test_few_lists_are_not_segmented_and_none_weighs_all_alike() -> None:
    few = choose(simulated(40, [0.0, 1.5], [1.5, 0.0]))
    assert few.segments == "none"
    assert few.held_out == {}
    no = np.zeros(0, dtype=bool)
    nothing = BlendLists(np.zeros((0, 2)), np.zeros(1, np.int64), no, no, no, no)
    choice = choose(nothing)
    assert choice.lists == 0
    assert choice.blend.known.warm.tolist() == [0.5, 0.5]
    assert uniform(np.array([1.0])).new.offset == 0.0


def test_rows_that_are_not_contested_are_left_out_with_lists_that_have_no_other() -> None:
    lists = simulated(3, [1.0, 0.0], [1.0, 0.0])
    contested = np.ones(3 * ROWS, dtype=bool)
    contested[1], contested[ROWS : 2 * ROWS] = False, False
    kept = replace(lists, contested=contested).contested_only()
    assert kept.offsets.tolist() == [0, ROWS - 1, 2 * ROWS - 1]
    np.testing.assert_array_equal(kept.features, lists.features[contested])
    np.testing.assert_array_equal(kept.relevant, lists.relevant[contested])
    assert len(kept.new) == 2
