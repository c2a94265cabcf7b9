"""The convex sum of predictions of intensity."""

import numpy as np
import pytest

from interestrec.scoring import estimate


def test_weights_are_those_behind_the_labels_and_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    parts = {name: rng.random(500) for name in "abc"}
    label = 0.25 * parts["a"] + 0.75 * parts["c"]
    label[:20] = np.nan
    fitted = estimate.fit(parts, label)
    assert dict(fitted.weights) == pytest.approx({"a": 0.25, "b": 0.0, "c": 0.75}, abs=1e-4)
    predicted = fitted({name: part[None, :].astype(np.float32) for name, part in parts.items()})
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted[0, 20:], label[20:], atol=1e-3)


def test_a_predictor_that_is_too_high_is_not_shrunk_below_the_sum_of_one() -> None:
    fitted = estimate.fit({"a": np.full(100, 0.8), "b": np.full(100, 0.6)}, np.full(100, 0.1))
    assert sum(fitted.weights.values()) == pytest.approx(1.0)
    assert fitted.weights["b"] == pytest.approx(1.0, abs=1e-3)


def test_with_few_labels_the_first_stands_alone() -> None:
    label = np.append(np.full(49, 0.5), np.full(60, np.nan))
    parts = {"a": np.zeros(109), "b": np.full(109, 0.5)}
    assert dict(estimate.fit(parts, label).weights) == {"a": 1.0, "b": 0.0}
