"""Bounds held against rows of the metrics table."""

from typing import Any

import pytest

from interestrec.core.errors import ConfigError
from interestrec.evaluation import beyond_accuracy, bounds
from interestrec.evaluation.requirements import parse_bound
from tests.evaluation.rows import metric

ROWS = [
    metric("random", 0.9),
    metric("interestrec", 0.62),
    {**metric("interestrec", 0.5), "slice": "category=a:b/c"},
    metric("interestrec", 0.11, "ndcg@10"),
    metric("interestrec", 0.31, "ndcg@10", "catalogue"),
    metric("interestrec", None, "map@10", "catalogue"),
    metric("interestrec", 0.2, "rmse", "intensity"),
    {**metric("interestrec", 0.4, "coverage", "beyond"), "ci_low": None, "ci_high": None},
]


def found(text: str, rows: list[dict[str, Any]] = ROWS) -> bounds.BoundFinding:
    left_out = {"impressions": {"cold_users": 7}}
    (finding,) = bounds.bound_findings([parse_bound(text)], rows, left_out, "interestrec")
    return finding


@pytest.mark.parametrize(
    ("text", "ok", "sentence"),
    [
        (
            "auc>=0.62",
            True,
            "auc (impressions) is 0.6200, required is >= 0.62; its 95 % interval 0.6100 to 0.6300 contains it",
        ),
        (
            "auc>0.64",
            False,
            "auc (impressions) is 0.6200, required is > 0.64; its 95 % interval 0.6100 to 0.6300 lies below it",
        ),
        (
            "rmse<0.1",
            False,
            "rmse (intensity) is 0.2000, required is < 0.1; its 95 % interval 0.1900 to 0.2100 lies above it",
        ),
        # both protocols have it: impressions come first
        (
            "ndcg@10>=0.3",
            False,
            "ndcg@10 (impressions) is 0.1100, required is >= 0.3; its 95 % interval 0.1000 to 0.1200 lies below it",
        ),
        (
            "catalogue:ndcg@10>=0.3",
            True,
            "ndcg@10 (catalogue) is 0.3100, required is >= 0.3; its 95 % interval 0.3000 to 0.3200 contains it",
        ),
        (
            "category=a:b/c/auc<=0.4",
            False,
            "auc (impressions, category=a:b/c) is 0.5000, required is <= 0.4; "
            "its 95 % interval 0.4900 to 0.5100 lies above it",
        ),
        ("coverage>0.3", True, "coverage (beyond) is 0.4000, required is > 0.3; it has no interval"),
        (
            "map@10>=0",
            False,
            "map@10 (catalogue) has no value, required is >= 0: none of the lists or rows defines it",
        ),
    ],
)
def test_sentences(text: str, ok: bool, sentence: str) -> None:
    assert found(text) == bounds.BoundFinding(ok, sentence)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acu>=0.5", r"requirement 'acu>=0.5': unknown metric 'acu' \(did you mean 'auc'\?\); choose from: auc, "),
        ("intensity:auc>=0.5", "unknown metric 'auc'; choose from: rmse"),
        ("catalog:auc>=0.5", r"unknown protocol 'catalog' \(did you mean 'catalogue'\?\); choose from: beyond, cat"),
        ("warm/auc>=0.5", "unknown slice 'warm'; choose from: all, category=a:b/c"),
        ("cold_users/auc>=0.5", "cold_users has 7 lists, and slices with fewer than 20 are not reported"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        found(text)


def test_before_there_is_a_report_the_settings_say_what_it_can_have() -> None:
    having = bounds.available_metrics(["auc", "ndcg@5"], ["rmse"])
    assert bounds.requirement_protocol(parse_bound("ndcg@5>0"), having) == "impressions"
    assert bounds.requirement_protocol(parse_bound("gini<1"), having) == "beyond"
    assert having["beyond"] == list(beyond_accuracy.BEYOND_METRICS)
    with pytest.raises(ConfigError, match="unknown metric 'auc'"):  # whole lists of the catalogue are not stored
        bounds.requirement_protocol(parse_bound("catalogue:auc>0.5"), having)
