"""What must hold of the metrics' arithmetic whatever the numbers are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.metrics import (
    bootstrap,
    calibration,
    calibrations,
    intensity_errors,
    list_diversity,
    ranked_lists,
    topk,
)
from tests.examples import examples

SEEDS = st.integers(0, 10**9)
UNIT = st.floats(0, 1)
NAMES = st.sampled_from(sorted(calibrations.CALIBRATIONS))
PAIRS = st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=60)


def columns(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    label, predicted = np.array(rows).T
    return label, predicted


@examples(100)
@given(PAIRS)
def test_errors_are_those_of_each_row(rows: list[tuple[float, float]]) -> None:
    label, predicted = columns(rows)
    squared, absolute = (
        intensity_errors.squared_error(label, predicted),
        intensity_errors.absolute_error(label, predicted),
    )
    np.testing.assert_allclose(squared, [(a - b) ** 2 for a, b in rows], atol=1e-12)
    np.testing.assert_allclose(absolute, [abs(a - b) for a, b in rows], atol=1e-12)
    assert (squared <= absolute + 1e-12).all()  # both lie in the unit interval


@examples(100)
@given(PAIRS)
def test_no_prediction_has_a_lower_cross_entropy_than_the_label_itself(rows: list[tuple[float, float]]) -> None:
    label, predicted = columns(rows)
    loss = intensity_errors.cross_entropy(label, predicted)
    assert np.isfinite(loss).all()
    assert (loss >= intensity_errors.cross_entropy(label, label) - 1e-6).all()


@examples(25)
@given(st.lists(st.floats(-30, 30), min_size=50, max_size=80), SEEDS, NAMES)
def test_a_calibration_stays_in_the_unit_interval_and_keeps_the_order(
    logits: list[float], seed: int, name: str
) -> None:
    label = np.random.default_rng(seed).random(len(logits))
    found = calibrations.calibrate(name, np.array(logits), label)
    value = found(np.sort(np.array(logits)))
    assert ((value >= 0) & (value <= 1)).all()
    assert (np.diff(value) >= -1e-6).all()
    again = calibration.LogitCalibration.of(found.values())
    np.testing.assert_array_equal(again(np.array(logits)), found(np.array(logits)))


@examples(100)
@given(st.lists(UNIT, min_size=1, max_size=30))
def test_holm_only_makes_p_larger_and_keeps_their_order(p: list[float]) -> None:
    given_p = np.array(p)
    adjusted = bootstrap.holm(given_p)
    assert (adjusted >= given_p).all()
    assert adjusted.max() <= 1
    assert (np.diff(adjusted[np.argsort(given_p, kind="stable")]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1.0, len(p) * given_p.min()))


@examples(100)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.floats(-1, 1))
def test_p_is_the_share_of_draws_as_extreme(draws: list[float], observed: float) -> None:
    p = bootstrap.p_value(np.array([observed]), np.array(draws)[:, None])[0]
    assert 1 / (1 + len(draws)) <= p <= 1
    extreme = sum(abs(draw) >= abs(observed) - 1e-12 for draw in draws)
    assert p == pytest.approx((1 + extreme) / (1 + len(draws)))
    assert p == bootstrap.p_value(np.array([-observed]), np.array(draws)[:, None])[0]


@examples(100)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.95]))
def test_an_interval_lies_among_the_values_and_holds_its_share(values: list[float], level: float) -> None:
    drawn = np.array(values)[:, None]
    low, high = (end[0] for end in bootstrap.interval(drawn, level))
    assert drawn.min() <= low <= high <= drawn.max()
    assert [low, high] == pytest.approx(np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))
    nothing = bootstrap.interval(np.full((3, 1), np.nan))
    assert np.isnan(nothing).all()


def lists_of(seed: int, items: int = 12) -> tuple[np.ndarray, ...]:
    """Offsets and items of lists and of histories; some are empty."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 6, (2, 5))
    offsets = [np.concatenate([[0], np.cumsum(size)]) for size in sizes]
    return offsets[0], rng.integers(0, items, offsets[0][-1]), offsets[1], rng.integers(0, items, offsets[1][-1])


@examples(100)
@given(SEEDS)
def test_novelty_of_a_list_is_the_mean_of_its_items_bits(seed: int) -> None:
    offsets, item, *_ = lists_of(seed)
    had = np.random.default_rng(seed).integers(0, 9, 12)
    found = list_diversity.novelty(offsets, item, had, n_users=9)
    for n, (start, stop) in enumerate(itertools.pairwise(offsets)):
        bits = [-np.log2(max(had[i], 1) / 9) for i in item[start:stop]]
        assert found[n] == pytest.approx(np.mean(bits) if bits else np.nan, nan_ok=True)


@examples(100)
@given(SEEDS)
def test_calibration_of_categories_is_steck_s_divergence(seed: int) -> None:
    offsets, item, past_offsets, past_item = lists_of(seed)
    category = np.random.default_rng(seed).integers(-1, 4, 12)
    found = list_diversity.category_calibration(offsets, item, past_offsets, past_item, category)
    for n in range(len(offsets) - 1):
        shown, past = (
            category[item[offsets[n] : offsets[n + 1]]],
            category[past_item[past_offsets[n] : past_offsets[n + 1]]],
        )
        shown, past = shown[shown >= 0], past[past >= 0]
        if not len(shown) or not len(past):
            assert np.isnan(found[n])
            continue
        divergence = 0.0
        for one in set(past):
            p, q = np.mean(past == one), np.mean(shown == one)
            divergence += p * np.log(p / (0.99 * q + 0.01 * p))
        assert found[n] == pytest.approx(max(divergence, 0), abs=1e-12)


@examples(100)
@given(SEEDS)
def test_popularity_lift_is_a_ratio_of_means_less_one(seed: int) -> None:
    offsets, item, past_offsets, past_item = lists_of(seed)
    popularity = np.random.default_rng(seed).integers(0, 3, 12).astype(float)
    found = list_diversity.popularity_lift(offsets, item, past_offsets, past_item, popularity)
    for n in range(len(offsets) - 1):
        shown = popularity[item[offsets[n] : offsets[n + 1]]]
        past = popularity[past_item[past_offsets[n] : past_offsets[n + 1]]]
        if not len(shown) or not past.sum():
            assert np.isnan(found[n])
        else:
            assert found[n] == pytest.approx(shown.mean() / past.mean() - 1)


@examples(100)
@given(st.lists(st.integers(0, 20), max_size=30))
def test_coverage_is_the_share_shown_at_all(exposure: list[int]) -> None:
    found = list_diversity.coverage(np.array(exposure, dtype=np.int64))
    assert found == pytest.approx(np.mean([e > 0 for e in exposure]) if exposure else np.nan, nan_ok=True)


@examples(100)
@given(SEEDS, st.integers(1, 9))
def test_ranks_are_those_of_sorting_each_list(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 7, 6))])
    score, tie_order = rng.integers(0, levels, offsets[-1]).astype(float), rng.permutation(int(offsets[-1]))
    found = topk.ranks(offsets, score, tie_order)
    for start, stop in itertools.pairwise(offsets):
        order = sorted(range(start, stop), key=lambda row: (-score[row], tie_order[row]))
        assert [found[row] for row in order] == list(range(1, stop - start + 1))


@examples(100)
@given(SEEDS)
def test_blocks_of_lists_hold_what_is_relevant_and_lie_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 7, 5))])
    score, gain = rng.integers(0, 4, offsets[-1]).astype(float), rng.integers(0, 3, offsets[-1]).astype(float)
    found = ranked_lists.rank_lists(offsets, score, gain > 0, gain)
    np.testing.assert_array_equal(found.total_relevant, np.add.reduceat((gain > 0).astype(int), offsets[:-1]))
    np.testing.assert_array_equal(
        np.bincount(found.block_list, found.relevant, minlength=5),
        np.add.reduceat((gain > 0).astype(int), offsets[:-1]),
    )
    np.testing.assert_array_equal(found.length, np.diff(offsets))
    assert (found.before + found.size <= found.length[found.block_list]).all()
    assert (found.relevant <= found.size).all()
