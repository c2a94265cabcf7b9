"""Ranking metrics against every order of the ties, scikit-learn, and figures worked by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from interestrec.core.errors import ConfigError
from interestrec.metrics import ranked_lists, ranking

NAMES = ["auc", "mrr", "rr", "ndcg@1", "ndcg@3", "ndcg@10", "hit@1", "hit@3", "hit@10", "recall@1", "recall@3"]
NAMES += ["map@1", "map@3", "map@10"]


def one(name: str, score: list[float], relevant: list[int], gain: list[float] | None = None) -> float:
    offsets = np.array([0, len(score)])
    graded = np.array(relevant if gain is None else gain, dtype=float)
    return float(
        ranking.metric(name)(ranked_lists.rank_lists(offsets, np.array(score, float), np.array(relevant) > 0, graded))[
            0
        ]
    )


def by_definition(name: str, relevant: tuple[int, ...], gain: tuple[float, ...]) -> float:
    """The metric of one strict order, best first."""
    k = ranking.cutoff(name) or len(relevant)
    hits = [rank for rank, is_relevant in enumerate(relevant, 1) if is_relevant]
    if name == "auc":
        pairs = [(p, n) for p in hits for n in range(1, len(relevant) + 1) if n not in hits]
        return sum(p < n for p, n in pairs) / len(pairs)
    if name == "mrr":
        return sum(1 / rank for rank in hits) / len(hits)
    if name == "rr":
        return 1 / hits[0]
    if name.startswith("hit"):
        return float(hits[0] <= k)
    if name.startswith("recall"):
        return sum(rank <= k for rank in hits) / min(k, len(hits))
    if name.startswith("map"):
        return sum(sum(h <= rank for h in hits) / rank for rank in hits if rank <= k) / min(k, len(hits))
    dcg = sum(g / math.log2(rank + 1) for rank, g in enumerate(gain[:k], 1))
    ideal = sum(g / math.log2(rank + 1) for rank, g in enumerate(sorted(gain, reverse=True)[:k], 1))
    return dcg / ideal


def by_enumeration(name: str, score: list[float], relevant: list[int], gain: list[float]) -> float:
    """The mean over all orders that respect the scores."""
    values = []
    for order in itertools.permutations(range(len(score))):
        ordered = [score[i] for i in order]
        if ordered == sorted(score, reverse=True):
            values.append(by_definition(name, tuple(relevant[i] for i in order), tuple(gain[i] for i in order)))
    return sum(values) / len(values)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.floats(0.25, 1)), min_size=2, max_size=6).filter(
        lambda rows: 0 < sum(row[1] for row in rows) < len(rows)
    )
)
def test_ties_are_the_mean_over_all_their_orders(rows: list[tuple[int, int, float]]) -> None:
    score, relevant, strength = (list(column) for column in zip(*rows, strict=True))
    gain = [s * r for s, r in zip(strength, relevant, strict=True)]
    for name in NAMES:
        expected = by_enumeration(name, [float(s) for s in score], relevant, gain)
        assert one(name, score, relevant, gain) == pytest.approx(expected), name


def test_many_lists_at_once_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(2, 30, 200)
    offsets = np.concatenate([[0], np.cumsum(size)])
    score = rng.integers(0, 6, offsets[-1]).astype(float)
    gain = rng.integers(0, 4, offsets[-1]) * (rng.random(offsets[-1]) < 0.3)
    many = ranked_lists.rank_lists(offsets, score, gain > 0, gain.astype(float))
    auc, ndcg = ranking.metric("auc")(many), ranking.metric("ndcg@5")(many)
    for i, (start, stop) in enumerate(itertools.pairwise(offsets)):
        labels = gain[start:stop] > 0
        if 0 < labels.sum() < len(labels):
            assert auc[i] == pytest.approx(roc_auc_score(labels, score[start:stop]))
        else:
            assert math.isnan(auc[i])
        if labels.any():
            assert ndcg[i] == pytest.approx(ndcg_score([gain[start:stop]], [score[start:stop]], k=5))
        else:
            assert math.isnan(ndcg[i])


def test_minds_definitions_by_hand() -> None:
    score, clicked = [0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1]
    assert one("auc", score, clicked) == pytest.approx(1 / 4)
    assert one("mrr", score, clicked) == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert one("rr", score, clicked) == pytest.approx(1 / 2)
    assert one("map@10", score, clicked) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert one("map@3", score, clicked) == pytest.approx((1 / 2) / 2)
    ideal = 1 + 1 / math.log2(3)
    assert one("ndcg@5", score, clicked) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_a_constant_scorer_gets_chance_wherever_the_relevant_item_stands() -> None:
    for place in range(5):
        relevant = [int(i == place) for i in range(5)]
        assert one("auc", [1.0] * 5, relevant) == 0.5
        assert one("hit@2", [1.0] * 5, relevant) == pytest.approx(2 / 5)
        assert one("rr", [1.0] * 5, relevant) == pytest.approx(sum(1 / r for r in range(1, 6)) / 5)


def test_nothing_relevant_is_undefined_everywhere_and_one_class_for_auc_only() -> None:
    for name in NAMES:
        assert math.isnan(one(name, [2.0, 1.0], [0, 0])), name
        assert math.isnan(one(name, [2.0, 1.0], [1, 1])) == (name == "auc"), name


def test_lists_cut_short_count_what_they_miss() -> None:
    offsets = np.array([0, 2, 2])  # the second user has no list
    truth_list = np.array([0, 0, 0, 1])
    cut = ranked_lists.rank_with_truth(
        offsets,
        score=np.array([2.0, 1.0]),
        relevant=np.array([False, True]),
        gain=np.array([0.0, 1.0]),
        truth_list=truth_list,
        truth_relevant=np.ones(4, dtype=bool),
        truth_gain=np.ones(4),
    )
    assert ranking.metric("recall@2")(cut) == pytest.approx([1 / 2, 0])
    assert ranking.metric("recall@20")(cut) == pytest.approx([1 / 3, 0])
    assert ranking.metric("mrr")(cut) == pytest.approx([1 / 6, 0])
    assert ranking.metric("map@2")(cut) == pytest.approx([1 / 4, 0])
    assert ranking.metric("map@10")(cut) == pytest.approx([1 / 6, 0])
    assert ranking.metric("hit@2")(cut) == pytest.approx([1, 0])
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ranking.metric("ndcg@10")(cut) == pytest.approx([1 / math.log2(3) / ideal, 0])


@pytest.mark.parametrize("name", ["ndgc@10", "ndcg", "auc@5", "ndcg@0", "ndcg@k", "", "ndcg@-1"])
def test_an_unknown_metric_is_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError, match="metric"):
        ranking.metric(name)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([0, 0, 1, 3])), min_size=1, max_size=5
    ).filter(lambda rows: any(row[1] for row in rows) and any(row[2] for row in rows))
)
def test_a_gain_need_not_be_where_relevance_is(rows: list[tuple[int, int, int]]) -> None:
    """What is relevant may have no gain, and what has one may not be relevant."""
    score, relevant, gain = (list(map(float, column)) for column in zip(*rows, strict=True))
    marked = [int(value) for value in relevant]
    for name in NAMES[3:]:
        assert one(name, score, marked, gain) == pytest.approx(by_enumeration(name, score, marked, gain)), name


def test_lists_without_a_row_have_no_value() -> None:
    nothing = ranked_lists.rank_lists(np.zeros(3, np.int64), np.zeros(0), np.zeros(0, bool), np.zeros(0))
    for name in NAMES:
        assert np.isnan(ranking.metric(name)(nothing)).tolist() == [True, True], name
