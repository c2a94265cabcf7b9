"""Intensity losses against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from interestrec.metrics.intensity import METRICS


def mean(name: str, label: np.ndarray, predicted: np.ndarray) -> float:
    loss, transform = METRICS[name]
    return float(transform(loss(label, predicted).mean()))


def test_logloss_of_binary_labels_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    label, predicted = (rng.random(50) < 0.4).astype(np.float32), rng.random(50)
    assert mean("logloss", label, predicted) == pytest.approx(log_loss(label, predicted))


def test_logloss_of_a_graded_label_is_least_at_the_label() -> None:
    label = np.full(1, 0.3, dtype=np.float32)
    at_label = mean("logloss", label, label)
    assert at_label == pytest.approx(-(0.3 * np.log(0.3) + 0.7 * np.log(0.7)), rel=1e-6)
    assert at_label < min(mean("logloss", label, label + 0.05), mean("logloss", label, label - 0.05))


def test_a_certain_mistake_costs_a_finite_amount() -> None:
    assert 15 < mean("logloss", np.ones(1), np.zeros(1)) < 17


def test_rmse_by_hand() -> None:
    assert mean("rmse", np.array([0.0, 1.0]), np.array([0.6, 0.2])) == pytest.approx(np.sqrt((0.36 + 0.64) / 2))
