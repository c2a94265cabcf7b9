"""Words for figures."""

from interestrec.evaluation.verdicts import all_verdicts, verdict, word
from tests.evaluation.rows import comparison, metric


def test_words_follow_the_corrected_p_and_the_metrics_direction() -> None:
    assert word(comparison("als", 0.1, 0.01)) == "better"
    assert word(comparison("als", -0.1, 0.01)) == "worse"
    assert word(comparison("als", 0.1, 0.06)) == "no evidence"
    assert word(comparison("als", -0.1, 0.01, name="rmse")) == "better"


def test_the_verdict_names_the_strongest_other_system_and_claims_no_more_than_the_test() -> None:
    metrics = [metric("interestrec", 0.62), metric("als", 0.55), metric("content", 0.6)]
    sentence = verdict(metrics, [comparison("content", 0.02, 0.2)], "impressions", "interestrec")
    assert sentence == (
        "No evidence that interestrec and content, the strongest other system, differ: auc 0.6200 against 0.6000 "
        "(difference +0.0200, 95 % interval +0.0100 to +0.0300)."
    )
    sentence = verdict(metrics, [comparison("content", 0.02, 0.01)], "impressions", "interestrec")
    assert sentence is not None
    assert sentence.startswith("interestrec is better than content")
    assert verdict(metrics[:1], [], "impressions", "interestrec") is None


def test_the_blend_is_held_against_its_best_component() -> None:
    metrics = [metric("interestrec", 0.6), metric("only:intensity", 0.61), metric("als", 0.55), metric("content", 0.65)]
    comparisons = [comparison(other, difference, p) for other, difference, p in ROWS]
    alone = {"intensity": "only:intensity", "collaborative": "als"}
    said = all_verdicts(metrics, comparisons, alone)["impressions"]
    assert said["best_component"] == "intensity"
    assert said["blend_minus_best"]["word"] == "worse"
    assert said["blend"].startswith("The blend is worse than its best component alone, intensity")
    assert "content" in said["rival"]  # a part of ours is no rival, however strong
    assert "blend" not in all_verdicts(metrics, comparisons, {})["impressions"]


ROWS = [("only:intensity", -0.01, 0.01), ("als", 0.05, 0.01), ("content", -0.05, 0.01)]
