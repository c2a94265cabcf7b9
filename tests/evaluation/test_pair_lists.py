"""Metrics of memorised and generalised pairs by hand, and against lists that were shortened one by one."""

import math

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core import ragged
from interestrec.evaluation import metric_sums
from interestrec.evaluation.list_metrics import ListTruth, rank_impressions
from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.pair_lists import PairLists
from interestrec.evaluation.pair_parts import NEITHER, NEW, SEEN, PairParts
from interestrec.evaluation.ranking_blocks import RankingBlock
from interestrec.metrics import ranking


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)


def parts(truth: list[int], cell: list[int] = [], shown: list[int] = [], lists: int = 0) -> PairParts:  # noqa: B006
    names = pa.array([f"m{n}" for n in range(lists)], pa.string())
    return PairParts(np.array(truth, np.int8), names, np.array(cell, np.int64), np.array(shown, np.int8), 100)


def cells(lists: PairLists, protocol: str, n_users: int) -> dict[str, MetricSums]:
    return {cell.slice: cell for cell in lists.sums(protocol, n_users).cells}


def test_stored_lists_by_hand() -> None:
    """User 0 likes 1 (seen), 2 (new) and 9 (new); user 1 likes 3 (new); user 2 likes 4, without a history."""
    relevant = np.ones(5, bool)
    truth = ListTruth(np.array([0, 3, 4, 5]), np.array([1, 2, 9, 3, 4]), np.ones(5), relevant)
    pairs = parts([SEEN, NEW, NEW, NEW, NEITHER])
    lists = PairLists(["a"], ["ndcg@10"], pairs, truth, graded=False)
    item = np.array([7, 2, 1, 5, 6, 3])
    lists.add_stored("a", np.array([0, 1]), np.array([0, 4, 6]), item, np.array([4.0, 3, 2, 1, 2, 1]))
    lists.add_stored("a", np.array([2]), np.array([0, 0]), item[:0], np.zeros(0))  # a user without a list
    found = cells(lists, "catalogue", 3)
    # without 2, item 1 is second; without 1, item 2 is second and 9 is missed
    assert found["pair:seen"].user.tolist() == [0]
    assert found["pair:seen"].value.tolist() == [pytest.approx(1 / math.log2(3))]
    of_user = [1 / math.log2(3) / (1 + 1 / math.log2(3)), 1 / math.log2(3)]
    assert found["pair:new"].user.tolist() == [0, 1]
    assert found["pair:new"].sums.ravel().tolist() == pytest.approx(of_user)
    assert found["pair:new"].dropped.tolist() == [0]


def test_a_user_without_a_list_scores_0() -> None:
    truth = ListTruth(np.array([0, 1]), np.array([4]), np.ones(1), np.ones(1, bool))
    lists = PairLists(["a"], ["hit@5"], parts([NEW]), truth, graded=False)
    lists.add_stored("a", np.array([0]), np.array([0, 0]), np.zeros(0, np.int64), np.zeros(0))
    found = cells(lists, "catalogue", 1)
    assert list(found) == ["pair:new"]
    assert found["pair:new"].value.tolist() == [0]


def test_impressions_by_hand() -> None:
    """m0: 1 seen and relevant, 2 new and relevant, 3 and 4 ignored; m1: 5 new and relevant, 6 ignored."""
    pairs = parts([], [1, 2, 105], [SEEN, NEW, NEW], lists=2)
    nothing = ListTruth(np.zeros(3, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool))
    lists = PairLists(["a"], ["auc"], pairs, nothing, graded=False)
    block = RankingBlock(
        system="a",
        user=np.array([1, 1]),
        offsets=np.array([0, 4, 6]),
        item=np.array([3, 1, 2, 4, 5, 6]),
        numbers={
            "score": np.array([3.0, 4, 2, 1, 1, 2]),
            "label": np.array([0.0, 1, 1, 0, 1, 0]),
            "relevant": np.array([0, 1, 1, 0, 1, 0], bool),
        },
        list_id={"impression_id": pa.chunked_array([["m0", "m1"]]).dictionary_encode()},
    )
    lists.add_impressions(block)
    found = cells(lists, "impressions", 2)
    assert found["pair:seen"].sums.ravel().tolist() == [1]  # 1 is above 3 and 4
    assert found["pair:new"].sums.ravel().tolist() == [0.5 + 0]  # 2 is below 3 and above 4, and 5 below 6
    assert found["pair:new"].counts.ravel().tolist() == [2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("graded", [False, True])
def test_against_lists_shortened_one_by_one(seed: int, graded: bool) -> None:
    rng = np.random.default_rng(seed)
    n, n_items, k = 40, 30, 12
    held = rng.random((n, n_items)) < 0.2
    owner, item = np.nonzero(held)
    relevant = rng.random(len(item)) < 0.7
    label = np.where(relevant, rng.uniform(0.5, 1, len(item)), 0.2)
    truth = ListTruth(ragged.from_owner(owner, n), item.astype(np.int64), label, relevant)
    part = np.where(relevant, rng.integers(-1, 2, len(item)), NEITHER)
    metrics = ["ndcg@10", "mrr", "recall@5"]
    lists = PairLists(["a"], metrics, parts(part.tolist()), truth, graded)
    listed = np.stack([rng.permutation(n_items)[:k] for _ in range(n)]).astype(np.int64)
    score = rng.integers(0, 6, (n, k)).astype(float)
    lists.add_stored("a", np.arange(n), np.arange(n + 1) * k, listed.ravel(), score.ravel())
    made = lists.sums("catalogue", n).cells
    for name, wanted in (("pair:seen", SEEN), ("pair:new", NEW)):
        expected: dict[int, list[float]] = {}
        for user in range(n):
            rows = np.flatnonzero(owner == user)
            kept = {int(item[r]): r for r in rows if not relevant[r] or part[r] == wanted}
            if not any(relevant[r] for r in kept.values()):
                continue
            removed = {int(item[r]) for r in rows} - set(kept)
            # a whole list: what is stored, then what it misses, below everything
            stored = [(s, int(i)) for s, i in zip(score[user], listed[user], strict=True) if int(i) not in removed]
            missed = [(-99.0 - c, i) for c, i in enumerate(kept) if i not in {i for _, i in stored}]
            filler = [(-9.0, -1)] * 30  # items that the stored list does not show
            whole = [*stored, *filler, *missed]
            hit = np.array([i in kept and bool(relevant[kept[i]]) for _, i in whole])
            gain = np.array([label[kept[i]] if i in kept else 0.0 for _, i in whole])
            ranked = rank_impressions(np.array([0, len(whole)]), np.array([s for s, _ in whole]), gain, hit, graded)
            expected[user] = [float(ranking.metric(m)(ranked)[0]) for m in ("ndcg@10", "recall@5")]
        for position, metric in enumerate(("ndcg@10", "recall@5")):
            (cell,) = (c for c in made if (c.slice, c.metric) == (name, metric))
            assert cell.user.tolist() == list(expected)
            np.testing.assert_allclose(cell.sums.ravel(), [values[position] for values in expected.values()])
