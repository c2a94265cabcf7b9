"""Metrics of tasks: a weight is so many rows, known values, and paired draws of users."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import log_loss, roc_auc_score

from interestrec.metrics.task_metrics import TASK_METRICS, TaskRows, resampled_values, task_values

RNG = np.random.default_rng(5)
LABEL = RNG.integers(0, 2, 80).astype(float)
PREDICTED = np.round(np.clip(0.3 * LABEL + RNG.uniform(0, 0.7, 80), 0.01, 0.99), 2)  # with ties
USER = RNG.integers(0, 9, 80)


@pytest.mark.parametrize("name", TASK_METRICS)
def test_a_weight_is_so_many_rows(name: str) -> None:
    times = RNG.integers(0, 4, 80)
    rows = np.repeat(np.arange(80), times)
    weighted = TASK_METRICS[name](LABEL, PREDICTED)(times.astype(float))
    if name == "ece":  # whose bins are those of all rows
        assert np.isfinite(weighted)
        return
    repeated = TASK_METRICS[name](LABEL[rows], PREDICTED[rows])(np.ones(len(rows)))
    assert weighted == pytest.approx(repeated, rel=1e-9)


def test_values_are_those_of_other_libraries() -> None:
    found = task_values(TaskRows(USER, LABEL, PREDICTED, np.ones(80)), list(TASK_METRICS))
    assert found["auc"] == pytest.approx(roc_auc_score(LABEL, PREDICTED))
    assert found["logloss"] == pytest.approx(log_loss(LABEL, PREDICTED))
    assert found["spearman"] == pytest.approx(spearmanr(LABEL, PREDICTED).statistic)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((LABEL - PREDICTED) ** 2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(LABEL - PREDICTED)))


def test_what_is_not_defined_is_nan() -> None:
    found = task_values(TaskRows(USER[:3], np.ones(3), np.full(3, 0.5), np.ones(3)), ["auc", "spearman", "rmse"])
    assert np.isnan([found["auc"], found["spearman"]]).all()
    assert found["rmse"] == pytest.approx(0.5)
    assert np.isnan(task_values(TaskRows(*[np.zeros(0)] * 4), ["rmse"])["rmse"])


def test_draws_of_users_are_equal_for_equal_seeds_and_spread_around_the_value() -> None:
    rows = TaskRows(USER, LABEL, PREDICTED, np.ones(80))
    first = resampled_values(rows, ["rmse", "auc"], 9, 200, 1)
    np.testing.assert_array_equal(first, resampled_values(rows, ["rmse", "auc"], 9, 200, 1))
    values = task_values(rows, ["rmse", "auc"])
    low, high = np.nanquantile(first, [0.025, 0.975], axis=0)
    assert (low < list(values.values())).all()
    assert (list(values.values()) < high).all()
    nearly = TaskRows(USER, LABEL, PREDICTED + 0.001, np.ones(80))
    paired = resampled_values(nearly, ["rmse"], 9, 200, 1) - first[:, :1]
    assert paired.std() < first[:, 0].std() / 10
