"""What lists may hold."""

from pathlib import Path

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import Rules, load_rules, rerank
from tests.scoring.asking import requests
from tests.scoring.corpora import Event, Impression, write_corpus

INF = np.inf


def rules(**changes: object) -> Rules:
    usual: dict[str, object] = {
        "seen": "out",
        "seen_penalty": 1.0,
        "eligible": np.ones(4, dtype=bool),
        "per_category": None,
        "diversity": 0.0,
        "pool": 4,
    }
    return Rules(**{**usual, **changes})  # type: ignore[arg-type]


def applied(given: Rules) -> list[list[float]]:
    score = np.array([[1.0, 2.0, 3.0, 6.0], [0.0, 0.0, 0.0, 0.0]])
    given.apply(score, requests([1, 2, 1], []))
    return score.tolist()


def test_seen_items_are_out_in_or_down_once() -> None:
    assert applied(rules())[0] == [1.0, -INF, -INF, 6.0]
    assert applied(rules(seen="in"))[0] == [1.0, 2.0, 3.0, 6.0]
    deviation = np.sqrt(3.5)
    down = applied(rules(seen="down", seen_penalty=2.0))
    np.testing.assert_allclose(down, [[1.0, 2.0 - 2 * deviation, 3.0 - 2 * deviation, 6.0], [0.0] * 4])


def test_items_that_are_not_to_be_listed_are_out_for_everyone() -> None:
    eligible = np.array([True, True, False, True])
    assert applied(rules(seen="in", eligible=eligible)) == [[1.0, 2.0, -INF, 6.0], [0.0, 0.0, -INF, 0.0]]
    item, seen = np.array([0, 2, 3]), np.array([False, False, True])
    assert rules(eligible=eligible).permit(item, seen).tolist() == [True, False, False]
    assert rules(eligible=eligible, seen="down").permit(item, seen).tolist() == [True, False, True]


def arranged(score: list[float], **changes: object) -> list[int]:
    pool = np.argsort(-np.array([score]), axis=1, kind="stable")
    usual: dict[str, object] = {
        "k": 4,
        "category": np.full(len(score), -1),
        "per_category": None,
        "vectors": np.zeros((len(score), 2)),
        "diversity": 0.0,
    }
    place = rerank(np.array([score])[:, pool[0]], pool, **{**usual, **changes})[0]  # type: ignore[arg-type]
    return [int(pool[0, n]) if n >= 0 else -1 for n in place]


def test_without_a_rule_the_order_stays() -> None:
    assert arranged([1.0, 4.0, 3.0, 2.0]) == [1, 2, 3, 0]


def test_a_full_category_is_passed_over_and_items_without_one_are_not_counted() -> None:
    category = np.array([0, 0, 0, 1, -1, -1])
    assert arranged([9.0, 8.0, 7.0, 3.0, 2.0, 1.0], category=category, per_category=1) == [0, 3, 4, 5]
    assert arranged([9.0, 8.0, 7.0, -INF], category=np.zeros(4, int), per_category=2) == [0, 1, -1, -1]


def test_diversity_prefers_what_is_unlike_the_items_before() -> None:
    # scores scaled to 1, 0.9, 0.5, 0; items 0 and 1 point the same way, 2 and 3 across
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    score = [1.0, 0.9, 0.5, 0.0]
    assert arranged(score, vectors=vectors, diversity=0.2) == [0, 1, 2, 3]  # 0.8 · 0.9 − 0.2 > 0.8 · 0.5
    assert arranged(score, vectors=vectors, diversity=0.5) == [0, 2, 1, 3]  # 0.5 · 0.9 − 0.5 < 0.5 · 0.5


def test_what_may_not_be_listed_is_not_listed() -> None:
    assert arranged([1.0, -INF, 3.0, -INF]) == [2, 0, -1, -1]
    assert arranged([-INF, -INF]) == [-1, -1]


def test_an_age_limit_lets_everything_pass_in_a_log_without_times(tmp_path: Path) -> None:
    shown = [Impression(0, "train", (0, 0), [(0, 1.0)]), Impression(0, "test", (0, 1), [(1, 1.0)])]
    log = [Event(0, 0, None), Event(0, 1, None, "test")]
    corpus = Corpus(write_corpus(tmp_path / "corpus", 1, 2, log, shown), None)
    loaded = load_rules(corpus, RankSettings.model_validate({"rules": {"max_age_days": 3}}), as_of=None)
    assert loaded.eligible.all()
