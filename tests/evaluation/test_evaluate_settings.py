"""The metrics that a configuration may name are those of the registries."""

import pytest
from pydantic import ValidationError

from interestrec.evaluation.evaluate_settings import EvaluateSettings
from interestrec.metrics.intensity_errors import INTENSITY_METRICS
from interestrec.metrics.ranking import RANKING_METRICS


@pytest.mark.parametrize("name", [*RANKING_METRICS, *INTENSITY_METRICS])
def test_every_registered_metric_can_be_configured(name: str) -> None:
    asked = name.replace("@k", "@7")
    assert EvaluateSettings(metrics=[asked]).metrics == [asked]


@pytest.mark.parametrize("name", ["", "ndcg", "ndcg@0", "ndcg@k", "ndcg@10 ", "auc@5", "ndcg@²"])
def test_other_names_are_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValidationError, match="choose from: auc, mrr, rr, ndcg@k"):
        EvaluateSettings(metrics=[name])
