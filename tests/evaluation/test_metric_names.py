"""The names in the configuration are those that there are metrics for."""

import pytest

from interestrec.evaluation import intensity_metrics, metric_names
from interestrec.metrics import ranking


def test_every_metric_can_be_named_and_no_other() -> None:
    assert set(metric_names.LIST_METRICS) == set(ranking.WHOLE_LIST_METRICS)
    assert set(metric_names.CUTOFF_METRICS) == set(ranking.METRICS_AT_K)
    assert set(metric_names.INTENSITY_METRICS) == set(intensity_metrics.NAMES)


@pytest.mark.parametrize("name", ["auc", "ndcg@10", "map@1", "ece"])
def test_known_names_pass(name: str) -> None:
    assert metric_names.is_known_metric(name) == name


@pytest.mark.parametrize("name", ["", "ndcg", "ndcg@0", "ndcg@k", "ndcg@10 ", "auc@5", "ndcg@²"])
def test_other_names_do_not(name: str) -> None:
    with pytest.raises(ValueError, match="choose from: auc, mrr, rr, ndcg@k"):
        metric_names.is_known_metric(name)
