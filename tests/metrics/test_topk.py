"""Top-k against a full sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interestrec.metrics.topk import ranks, top_k


@given(st.integers(0, 10_000), st.integers(1, 8) | st.integers(50, 1500), st.integers(1, 12) | st.integers(20, 60))
def test_top_k_is_the_head_of_a_full_sort(seed: int, columns: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(-1, 3, (4, columns)).astype(float)
    score[score < 0] = -np.inf
    tie_order = rng.permutation(columns)
    expected = [np.lexsort((tie_order, -row))[: min(k, columns)] for row in score]
    np.testing.assert_array_equal(top_k(score, k, tie_order), expected)


def test_ranks_count_from_one_within_each_list_and_break_ties_by_tie_order() -> None:
    rank = ranks(np.array([0, 3, 5]), np.array([1.0, 3.0, 1.0, 0.0, 9.0]), np.array([7, 1, 2, 0, 0]))
    assert rank.tolist() == [3, 1, 2, 2, 1]
