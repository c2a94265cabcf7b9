"""Words for figures."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.evaluation import resampling, statistics
from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.verdicts import (
    BETTER,
    NO_EVIDENCE,
    WORSE,
    all_verdicts,
    blend_verdict,
    rival_verdict,
    verdict_word,
)
from interestrec.metrics import intensity_errors
from tests.evaluation.rows import comparison, metric
from tests.examples import examples


def test_words_follow_the_corrected_p_and_the_metrics_direction() -> None:
    assert verdict_word(comparison("als", 0.1, 0.01)) == "better"
    assert verdict_word(comparison("als", -0.1, 0.01)) == "worse"
    assert verdict_word(comparison("als", 0.1, 0.06)) == "better before correction"
    assert verdict_word(comparison("als", 0.1, 0.06, name="rmse")) == "worse before correction"
    assert verdict_word(comparison("als", 0.1, 0.2)) == "no evidence"
    assert verdict_word(comparison("als", -0.1, 0.01, name="rmse")) == "better"


def test_the_verdict_names_the_strongest_other_system_and_claims_no_more_than_the_test() -> None:
    metrics = [metric("interestrec", 0.62), metric("als", 0.55), metric("content", 0.6)]
    sentence = rival_verdict(metrics, [comparison("content", 0.02, 0.2)], "impressions", "interestrec", 1200)
    assert sentence == (
        "No evidence that interestrec and content, the strongest other system, differ: auc 0.6200 against 0.6000 "
        "(difference +0.0200, 95 % interval -0.0100 to +0.0500, 1,200 users)."
    )
    sentence = rival_verdict(metrics, [comparison("content", 0.02, 0.01)], "impressions", "interestrec", 12)
    assert sentence is not None
    assert sentence.startswith("interestrec is better than content")
    assert rival_verdict(metrics[:1], [], "impressions", "interestrec", 12) is None


def test_what_the_correction_takes_back_is_said_beside_the_interval() -> None:
    metrics = [metric("interestrec", 0.62), metric("als", 0.55), metric("content", 0.6)]
    rows = [comparison(other, 0.02, 0.08) for other in ("als", "content", "only:intensity")]
    sentence = rival_verdict(metrics, rows, "impressions", "interestrec", 12)
    assert sentence == (
        "interestrec may be better than content, the strongest other system: auc 0.6200 against 0.6000 "
        "(difference +0.0200, 95 % interval +0.0100 to +0.0300, 12 users). The interval excludes 0, but after "
        "correction for 2 comparisons p is 0.08."
    )
    assert blend_verdict("intensity", rows[2], 1, 12).startswith("The blend may be better than its best component")


def test_few_users_are_said_to_be_few_and_an_interval_without_ends_is_none() -> None:
    row = {**comparison("content", 0.02, 1.0), "ci_low": -math.inf, "ci_high": math.inf}
    metrics = [metric("interestrec", 0.62), metric("content", 0.6)]
    sentence = rival_verdict(metrics, [row], "impressions", "interestrec", 4)
    assert sentence == (
        "No evidence that interestrec and content, the strongest other system, differ: auc 0.6200 against 0.6000 "
        "(difference +0.0200, no bounded 95 % interval, 4 users). 4 users are too few for a reliable interval."
    )
    said = all_verdicts(metrics, [row], {"content": "content"}, {("impressions", "auc"): 4})["impressions"]
    assert said["users"] == 4
    assert (said["blend_minus_best"]["ci_low"], said["blend_minus_best"]["ci_high"]) == (None, None)


@examples(150)
@given(st.integers(2, 14), st.integers(1, 5), st.sampled_from(["auc", "rmse"]), st.integers(0, 10**6))
def test_claim_and_interval_never_contradict_each_other(n_users: int, others: int, name: str, seed: int) -> None:
    """Over small data of few distinct values, with shifts of all sizes, so that ties and every outcome occur."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, (n_users, others + 1)) / 4 + rng.choice([0.0, 0.25, 1.0]) * (np.arange(others + 1) == 0)
    counts = np.repeat(rng.integers(1, 4, (n_users, 1)), others + 1, axis=1).astype(float)
    transform = intensity_errors.square_root if name == "rmse" else intensity_errors.identity
    none = np.zeros(others + 1, dtype=np.int64)
    sums = (values * counts)[..., None, None]
    cell = MetricSums("intensity", "all", name, np.arange(n_users), sums, counts, none, transform)
    systems = ["interestrec", *(f"s{number}" for number in range(others))]
    drawn = resampling.resampled_values([cell], n_users, 20, seed)
    metrics = statistics.metrics_rows([cell], drawn, [], systems)
    rows = statistics.comparison_rows([cell], systems, "interestrec", n_users, 400, seed)
    for row in rows:
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        assert (row["p"] < 0.05) == (row["ci_low"] > 0 or row["ci_high"] < 0)
        said = blend_verdict(row["system_b"], row, others, n_users)
        agrees(said, verdict_word(row), n_users)
    sentence = rival_verdict(
        metrics, rows, "intensity", "interestrec", statistics.users_per_metric([cell])["intensity", name]
    )
    assert sentence is not None
    if "nothing to learn" not in sentence:
        rival = re.search(r"\bs\d\b", sentence)
        assert rival is not None
        agrees(sentence, verdict_word(next(row for row in rows if row["system_b"] == rival[0])), n_users)


def agrees(sentence: str, meant: str, n_users: int) -> None:
    """A sentence claims what its own interval shows."""
    ends = re.search(r"95 % interval ([+-][\d.e-]+) to ([+-][\d.e-]+)", sentence)
    excludes = ends is not None and (float(ends[1]) > 0 or float(ends[2]) < 0)
    assert ends is not None or "no bounded 95 % interval" in sentence
    assert sentence.startswith("No evidence") == (meant == NO_EVIDENCE)
    assert excludes == (meant != NO_EVIDENCE)
    reserved = meant not in (BETTER, WORSE, NO_EVIDENCE)
    assert ("but after correction" in sentence) == (" may be " in sentence) == reserved
    assert f"{n_users} users)" in sentence
    assert ("too few" in sentence) == (n_users < 10)


@pytest.mark.parametrize("seed", range(3))
def test_far_systems_differ_and_equal_ones_do_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    values = np.stack([rng.random(n) + shift for shift in (0.13, 0.0, 0.13, 0.6, 2.0, -2.0)], axis=1)[..., None, None]
    counts, none = np.ones((n, 6)), np.zeros(6, dtype=np.int64)
    cell = MetricSums("catalogue", "all", "ndcg@10", np.arange(n), values, counts, none)
    rows = statistics.comparison_rows([cell], ["interestrec", *"abcde"], "interestrec", n, 400, seed)
    found = {row["system_b"]: verdict_word(row) for row in rows}
    assert (found["d"], found["e"]) == ("worse", "better")
    assert found["b"] == "no evidence"


def test_the_blend_is_held_against_its_best_component() -> None:
    metrics = [metric("interestrec", 0.6), metric("only:intensity", 0.61), metric("als", 0.55), metric("content", 0.65)]
    comparisons = [comparison(other, difference, p) for other, difference, p in ROWS]
    alone = {"intensity": "only:intensity", "collaborative": "als"}
    said = all_verdicts(metrics, comparisons, alone, BEHIND)["impressions"]
    assert said["best_component"] == "intensity"
    assert said["blend_minus_best"]["word"] == "worse"
    assert said["blend"].startswith("The blend is worse than its best component alone, intensity")
    assert "content" in said["rival"]  # a part of ours is no rival, however strong
    assert "blend" not in all_verdicts(metrics, comparisons, {}, BEHIND)["impressions"]


BEHIND = {("impressions", "auc"): 12}
ROWS = [("only:intensity", -0.01, 0.01), ("als", 0.05, 0.01), ("content", -0.05, 0.01)]
