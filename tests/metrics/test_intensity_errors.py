"""Intensity metrics against scikit-learn, SciPy and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error

from interestrec.metrics.intensity_errors import (
    INTENSITY_ERRORS,
    absolute_sum,
    calibration_sums,
    equal_mass_bins,
    spearman,
)


def mean(name: str, label: np.ndarray, predicted: np.ndarray) -> float:
    metric = INTENSITY_ERRORS[name]
    return float(metric.transform(metric.loss(label, predicted).mean(keepdims=True)))


def ece(label: np.ndarray, predicted: np.ndarray, bins: int) -> float:
    sums = calibration_sums(label, predicted, np.arange(len(label)) % 3, 3, bins)
    return float(absolute_sum(sums.sum(axis=0) / len(label)))


def test_binary_labels_give_what_scikit_learn_gives() -> None:
    rng = np.random.default_rng(1)
    label, predicted = (rng.random(50) < 0.4).astype(np.float32), rng.random(50)
    assert mean("logloss", label, predicted) == pytest.approx(log_loss(label, predicted), abs=1e-9)
    assert mean("brier", label, predicted) == pytest.approx(brier_score_loss(label, predicted), abs=1e-9)
    assert mean("mae", label, predicted) == pytest.approx(mean_absolute_error(label, predicted), abs=1e-9)


def test_logloss_of_a_graded_label_is_least_at_the_label() -> None:
    label = np.full(1, 0.3, dtype=np.float32)
    at_label = mean("logloss", label, label)
    assert at_label == pytest.approx(-(0.3 * np.log(0.3) + 0.7 * np.log(0.7)), rel=1e-6)
    assert at_label < min(mean("logloss", label, label + 0.05), mean("logloss", label, label - 0.05))


def test_a_certain_mistake_costs_a_finite_amount() -> None:
    assert 15 < mean("logloss", np.ones(1), np.zeros(1)) < 17


def test_rmse_by_hand() -> None:
    assert mean("rmse", np.array([0.0, 1.0]), np.array([0.6, 0.2])) == pytest.approx(np.sqrt((0.36 + 0.64) / 2))


def test_brier_is_asked_of_the_relevance_and_the_others_of_the_label() -> None:
    assert {name for name, metric in INTENSITY_ERRORS.items() if metric.target == "relevance"} == {"brier"}


def test_ece_by_hand() -> None:
    # Three bins of two: gaps of the means 0.15, 0.15 and 0.10, each of a third of the rows.
    predicted = np.array([0.9, 0.1, 0.4, 0.2, 0.9, 0.3])
    label = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    assert equal_mass_bins(predicted, 3).tolist() == [2, 0, 1, 0, 2, 1]
    assert ece(label, predicted, 3) == pytest.approx((0.15 + 0.15 + 0.10) / 3)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=60), st.integers(1, 8))
def test_ece_is_the_weighed_gap_of_each_bin(rows: list[tuple[int, int]], bins: int) -> None:
    label, predicted = (np.array(column) / 6 for column in zip(*rows, strict=True))
    bin_of = equal_mass_bins(predicted, bins)
    gaps = [
        abs(predicted[bin_of == b].mean() - label[bin_of == b].mean()) * (bin_of == b).mean() for b in np.unique(bin_of)
    ]
    assert ece(label, predicted, bins) == pytest.approx(sum(gaps))
    assert all(len(np.unique(bin_of[predicted == value])) == 1 for value in predicted)  # ties stay together
    assert (np.diff(bin_of[np.argsort(predicted)]) >= 0).all()


def test_bins_are_equal_where_nothing_is_tied() -> None:
    predicted = np.random.default_rng(2).permutation(1500) / 1500
    assert np.bincount(equal_mass_bins(predicted)).tolist() == [100] * 15


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=40))
def test_spearman_is_scipys_and_sees_ranks_alone(rows: list[tuple[int, int]]) -> None:
    label, predicted = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    found = spearman(label, predicted)
    if len(set(label)) == 1 or len(set(predicted)) == 1:
        assert np.isnan(found)
        return
    assert found == pytest.approx(spearmanr(label, predicted).statistic, abs=1e-9)
    assert found == pytest.approx(np.corrcoef(rankdata(label), rankdata(predicted))[0, 1], abs=1e-9)
    assert spearman(label, np.exp(predicted)) == found
    assert spearman(label, -predicted) == pytest.approx(-found)


def test_what_has_no_rows_has_no_value() -> None:
    none = np.zeros(0, np.float32)
    assert np.isnan(spearman(none, none))
    assert calibration_sums(none, none, np.zeros(0, np.int64), 2).sum() == 0
