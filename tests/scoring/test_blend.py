"""Standardising and fitting blend weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.scoring.blend import Powers, standardise_lists, standardise_rows
from tests.examples import examples


def test_lists_get_zero_mean_and_unit_deviation_and_equal_scores_zero() -> None:
    z = standardise_lists(np.array([1.0, 3.0, 5.0, 5.0, 5.0], dtype=np.float32), np.array([0, 2, 5]))
    assert z.tolist() == [-1, 1, 0, 0, 0]


def test_rows_are_standardised_over_known_items_only() -> None:
    known = np.array([True, True, False])
    z = standardise_rows(np.array([[1.0, 3.0, 100.0], [2.0, 2.0, 2.0]], dtype=np.float32), known)
    assert z.tolist() == [[-1, 1, 98], [0, 0, 0]]


SEEDS = st.integers(0, 10**9)


@examples(100)
@given(SEEDS, st.floats(0.01, 100), st.floats(-100, 100))
def test_standardised_lists_know_neither_scale_nor_shift(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 7, 5))])
    score = rng.integers(-3, 4, offsets[-1]).astype(float)
    found = standardise_lists(score, offsets)
    np.testing.assert_allclose(standardise_lists(scale * score + shift, offsets), found, atol=1e-5)
    for start, stop in itertools.pairwise(offsets):
        part = found[start:stop]
        assert part.mean() == pytest.approx(0, abs=1e-6)
        assert part.std() == pytest.approx(float(np.ptp(score[start:stop]) > 0), abs=1e-6)
    rows = standardise_rows(score[None], np.ones(len(score), bool))
    np.testing.assert_allclose(rows[0], standardise_lists(score, np.array([0, len(score)])), atol=1e-5)


def test_powers_are_of_the_size_and_keep_the_sign() -> None:
    parts = Powers([np.array([-4.0, 0.0, 9.0], np.float32)])
    assert parts[0.5][0].tolist() == [-2.0, 0.0, 3.0]
    assert parts[1.0][0].tolist() == [-4.0, 0.0, 9.0]
    assert parts[0.5] is parts[0.5]
