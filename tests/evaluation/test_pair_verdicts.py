"""The sentence on where text adds and where ids add."""

import numpy as np
import pytest

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.pair_verdicts import IDS, TEXT, pair_verdicts
from interestrec.metrics.bootstrap import holm
from interestrec.scorers.registry import SCORERS

SYSTEMS = ["interestrec", "content", "ease", "only:tfidf", "popularity"]
SCORER_OF = {"only:tfidf": "tfidf", "ease": "ease"}
N = 200


def cell(part: str, means: list[float], seed: int = 0) -> MetricSums:
    """Values of users, of each system around its mean."""
    rng = np.random.default_rng([seed, len(part)])
    sums = rng.normal(means, 0.1, (N, len(means)))[:, :, None, None]
    return MetricSums("catalogue", part, "ndcg@10", np.arange(N), sums, np.ones((N, len(means))), np.zeros(len(means)))


def verdicts(new: list[float] | None, seen: list[float] | None) -> dict:
    overall = [0.3, 0.1, 0.25, 0.2, 0.9]
    rows = [
        {"protocol": "catalogue", "slice": "all", "metric": "ndcg@10", "system": system, "value": value}
        for system, value in zip(SYSTEMS, overall, strict=True)
    ]
    parts = {"all": overall, "pair:seen": seen, "pair:new": new}
    cells = [cell(part, means) for part, means in parts.items() if means is not None]
    return pair_verdicts(rows, cells, SYSTEMS, SCORER_OF, N, 999, 1)


def test_text_adds_where_nothing_was_seen_and_ids_where_it_was() -> None:
    found = verdicts(new=[0, 0, 0.1, 0.3, 0], seen=[0, 0, 0.3, 0.1, 0])["catalogue"]
    assert (found["text"], found["ids"], found["metric"]) == ("only:tfidf", "ease", "ndcg@10")
    assert [(part["slice"], part["word"]) for part in found["parts"]] == [
        ("pair:seen", "worse"),
        ("pair:new", "better"),
    ]
    sentence = found["sentence"]
    assert sentence.startswith("On pairs seen before ids add (difference -0.")
    assert "; on new pairs text adds (difference +0." in sentence
    assert sentence.endswith(": ndcg@10 of only:tfidf less that of ease, the best systems of text and of ids.")
    assert "200 users" in sentence


def test_only_a_significant_difference_is_named() -> None:
    found = verdicts(new=[0, 0, 0.1, 0.3, 0], seen=[0.2] * 5)["catalogue"]
    assert found["sentence"].startswith("On new pairs text adds (")
    assert "seen before" not in found["sentence"]
    assert "sentence" not in verdicts(new=[0.2] * 5, seen=[0.2] * 5)["catalogue"]


def test_holm_corrects_over_both_parts() -> None:
    new, seen = [0, 0, 0.2, 0.222, 0], [0, 0, 0.2, 0.21, 0]

    def corrected(found: dict) -> list[float]:
        return [part["p_holm"] for part in found["catalogue"]["parts"]]

    alone = [*corrected(verdicts(None, seen)), *corrected(verdicts(new, None))]
    assert 0.002 < min(alone) < 0.2
    assert corrected(verdicts(new, seen)) == pytest.approx(holm(np.array(alone)).tolist())
    assert corrected(verdicts(new, seen)) != pytest.approx(alone)


def test_without_a_system_of_each_kind_there_is_nothing_to_say() -> None:
    rows = [{"protocol": "catalogue", "slice": "all", "metric": "ndcg@10", "system": "ease", "value": 0.1}]
    assert pair_verdicts(rows, [cell("pair:new", [0.1] * 5)], SYSTEMS, SCORER_OF, N, 99, 1) == {}


def test_kinds_are_of_scorers() -> None:
    assert {*TEXT, *IDS} <= set(SCORERS)
    assert not {*TEXT} & {*IDS}
