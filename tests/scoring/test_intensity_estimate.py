"""The sum of predictions of intensity."""

import numpy as np
import pytest

from interestrec.scoring import intensity_estimate
from interestrec.scoring.intensity_estimate import IntensityEstimate


def test_weights_and_constant_are_those_behind_the_labels() -> None:
    rng = np.random.default_rng(0)
    parts = {name: rng.random(500) for name in "abc"}
    label = 0.5 * parts["a"] + 0.75 * parts["c"] - 0.125
    label[:20] = np.nan
    fitted = intensity_estimate.fit(parts, label)
    assert dict(fitted.weights) == pytest.approx({"a": 0.5, "b": 0.0, "c": 0.75, "constant": -0.125}, abs=1e-5)


def test_a_misleading_predictor_gets_nothing_rather_than_a_negative_weight() -> None:
    rng = np.random.default_rng(1)
    a = rng.random(300)
    fitted = intensity_estimate.fit({"a": a, "b": 1 - a + rng.normal(0, 0.1, 300)}, a)
    assert fitted.weights["b"] == 0
    assert fitted.weights["a"] == pytest.approx(1.0, abs=1e-6)


def test_predictions_stay_intensities_in_any_shape() -> None:
    predicted = IntensityEstimate({"a": 2.0, "constant": -0.5})({"a": np.array([[0.0, 0.5, 1.0]], np.float32)})
    assert predicted.dtype == np.float32
    assert predicted.tolist() == [[0.0, 0.5, 1.0]]


def test_with_few_labels_the_first_stands_alone() -> None:
    label = np.append(np.full(49, 0.5), np.full(60, np.nan))
    parts = {"a": np.zeros(109), "b": np.full(109, 0.5)}
    assert dict(intensity_estimate.fit(parts, label).weights) == {"a": 1.0}
