"""Scores to intensities."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from interestrec.metrics.calibration import LogitCalibration, fit_isotonic
from interestrec.metrics.calibrations import calibrate


def test_the_map_is_scikit_learns_isotonic_regression() -> None:
    rng = np.random.default_rng(4)
    score = rng.integers(0, 9, 200).astype(float)
    label = (rng.random(200) < score / 10).astype(np.float32)
    fitted = fit_isotonic(score, label, otherwise=0.5)
    asked = np.linspace(-2, 11, 40)
    expected = IsotonicRegression(out_of_bounds="clip").fit(score, label).predict(asked)
    assert fitted(asked) == pytest.approx(expected, abs=1e-6)


def test_a_constant_scorer_predicts_the_mean_and_unknown_labels_are_left_out() -> None:
    fitted = fit_isotonic(np.zeros(4), np.array([1, 0, 0, np.nan]), otherwise=0.9)
    assert fitted(np.array([0.0, 7.0])) == pytest.approx([1 / 3, 1 / 3])


def test_without_labels_the_given_constant_is_predicted() -> None:
    assert fit_isotonic(np.ones(2), np.full(2, np.nan), otherwise=0.25)(np.array([3.0])).tolist() == [0.25]


def drawn(scale: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20000).astype(np.float32)
    return logits, (rng.random(20000) < 1 / (1 + np.exp(-(scale * logits + shift)))).astype(np.float64)


def test_scale_and_shift_behind_the_labels_come_back() -> None:
    found = calibrate("sigmoid", *drawn(0.5, -1.0))
    assert found.scale == pytest.approx(0.5, abs=0.03)
    assert found.shift == pytest.approx(-1, abs=0.05)
    found = calibrate("temperature", *drawn(0.5, 0.0))
    assert found.scale == pytest.approx(0.5, abs=0.03)
    assert found.shift == 0


def test_isotonic_bends_and_keeps_the_order() -> None:
    logits = np.linspace(-4, 4, 4000).astype(np.float32)
    labels = np.where(logits > 0, 0.9, 0.2) + np.where(logits > 3, -0.5, 0.0)  # falls at the end
    found = calibrate("isotonic", logits, labels)
    low, middle, high = found(np.array([-2.0, 1.0, 3.9], np.float32))
    assert low == pytest.approx(0.2, abs=2e-3)
    assert middle == pytest.approx(high, abs=2e-3)
    assert (np.diff(found(logits[::10])) > 0).all()
    again = LogitCalibration.of(found.values())
    np.testing.assert_array_equal(again(logits), found(logits))


def test_the_sigmoid_of_logits_beyond_any_range() -> None:
    logits = np.array([-1e4, 0.0, 1e4], np.float32)
    given = logits.copy()
    assert LogitCalibration(2.0, 0.0)(logits).tolist() == [0.0, 0.5, 1.0]
    np.testing.assert_array_equal(logits, given)


def test_few_or_equal_labels_fit_nothing() -> None:
    logits, labels = drawn(0.5, -1.0)
    assert calibrate("sigmoid", logits[:10], labels[:10]) == LogitCalibration()
    assert calibrate("isotonic", logits, np.ones(20000)) == LogitCalibration()


def test_the_plain_map_is_the_sigmoid() -> None:
    logits = np.linspace(-4, 4, 50)
    few = calibrate("sigmoid", logits[1:], np.linspace(0, 1, 49))
    assert few == LogitCalibration(1.0, 0.0)
    np.testing.assert_allclose(few(logits), 1 / (1 + np.exp(-logits)), rtol=1e-6)
    assert calibrate("sigmoid", logits, np.linspace(0, 1, 50)) != LogitCalibration()
    assert calibrate("none", logits, np.linspace(0, 1, 50)) == LogitCalibration()


def test_knots_count_nearly_for_all_and_the_sigmoid_for_the_rest() -> None:
    bent = LogitCalibration(1.0, 0.0, fit_isotonic(np.array([0.0, 1.0]), np.array([0.2, 0.6]), otherwise=0.0))
    expected = 0.999 * np.array([0.2, 0.6]) + 0.001 / (1 + np.exp(-np.array([0.0, 1.0])))
    np.testing.assert_allclose(bent(np.array([0.0, 1.0])), expected, rtol=1e-6)
