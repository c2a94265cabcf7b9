"""Alignment and uniformity, worked by hand and against SciPy's distances."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.special import i0e

from interestrec.metrics import representation
from interestrec.metrics.representation import alignment, uniformity
from tests.examples import examples


def test_alignment_by_hand() -> None:
    first = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    second = np.array([[5.0, 0.0], [0.0, -3.0], [0.0, 7.0]], np.float32)
    assert alignment(first, second) == pytest.approx((0 + 4 + 2) / 3)
    assert alignment(first, 9 * first) == 0.0


def test_uniformity_by_hand() -> None:
    east, west, north = [3.0, 0.0], [-1.0, 0.0], [0.0, 2.0]
    assert uniformity(np.array([east, west])) == pytest.approx(-8)
    assert uniformity(np.array([east, north])) == pytest.approx(-4)
    assert uniformity(np.array([east, east, east])) == pytest.approx(0)
    assert uniformity(np.array([east, west, north])) == pytest.approx(np.log((np.exp(-8) + 2 * np.exp(-4)) / 3))


def test_points_all_around_the_circle() -> None:
    # Over the circle exp(4 cos φ - 4) has the mean e⁻⁴ I₀(4); a point is no pair with itself.
    n = 3000
    angle = 2 * np.pi * np.arange(n) / n
    expected = (n * i0e(4) - 1) / (n - 1)
    assert uniformity(np.stack([np.cos(angle), np.sin(angle)], axis=1)) == pytest.approx(np.log(expected), rel=1e-9)


@examples(100)
@given(st.integers(0, 10_000), st.integers(2, 23), st.sampled_from([1, 2, 5, 1024]))
def test_uniformity_is_that_of_all_distances_whatever_the_blocks(seed: int, rows: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.3, 1, (rows, 3)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(representation, "_BLOCK", block)
        found = uniformity(vectors)
        assert uniformity(rng.permutation(vectors) * 5) == pytest.approx(found, abs=1e-6)
    assert found == pytest.approx(np.log(np.mean(np.exp(-2 * pdist(unit, "sqeuclidean")))), abs=1e-9)
    assert -8 <= found <= 1e-12


@examples(100)
@given(st.integers(0, 10_000))
def test_turning_all_vectors_changes_neither(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, 6, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert alignment(first @ turn, second @ turn) == pytest.approx(alignment(first, second))
    assert alignment(second, first) == pytest.approx(alignment(first, second))
    assert uniformity(first @ turn) == pytest.approx(uniformity(first))


def test_memory_is_that_of_blocks() -> None:
    vectors = np.random.default_rng(0).normal(size=(6000, 4)).astype(np.float32)
    tracemalloc.start()
    uniformity(vectors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 8 / 4  # all distances at once are 288 MB


@pytest.mark.filterwarnings("error")
def test_what_is_undefined_is_nan() -> None:
    some = np.ones((3, 2), np.float32)
    assert np.isnan(alignment(some[:0], some[:0]))
    assert np.isnan(uniformity(some[:1]))
    some[1] = 0
    assert np.isnan(alignment(some, np.ones((3, 2))))
    assert np.isnan(uniformity(some))
