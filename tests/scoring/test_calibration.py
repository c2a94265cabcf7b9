"""Scores to intensities."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from interestrec.scoring import calibration


def test_the_map_is_scikit_learns_isotonic_regression() -> None:
    rng = np.random.default_rng(4)
    score = rng.integers(0, 9, 200).astype(float)
    label = (rng.random(200) < score / 10).astype(np.float32)
    fitted = calibration.fit(score, label, otherwise=0.5)
    asked = np.linspace(-2, 11, 40)
    expected = IsotonicRegression(out_of_bounds="clip").fit(score, label).predict(asked)
    assert fitted(asked) == pytest.approx(expected, abs=1e-6)


def test_a_constant_scorer_predicts_the_mean_and_unknown_labels_are_left_out() -> None:
    fitted = calibration.fit(np.zeros(4), np.array([1, 0, 0, np.nan]), otherwise=0.9)
    assert fitted(np.array([0.0, 7.0])) == pytest.approx([1 / 3, 1 / 3])


def test_without_labels_the_given_constant_is_predicted() -> None:
    assert calibration.fit(np.ones(2), np.full(2, np.nan), otherwise=0.25)(np.array([3.0])).tolist() == [0.25]
