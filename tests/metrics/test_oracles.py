"""Ranking metrics against scikit-learn, trec_eval, ranx and MIND's definitions, on 10,000 random rankings each.

Libraries that break ties by some order of their own see lists without ties; what ties are worth is compared with
scikit-learn, which averages them for nDCG and AUC, and in test_ranking.py with all orders of small lists.
"""

import functools
import itertools

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from tests.metrics.random_lists import Rankings, rankings
from tests.metrics.test_ranking import by_enumeration

COUNT, EXACT = 10_000, 1e-9


@pytest.fixture(scope="module")
def tied() -> Rankings:
    return rankings(COUNT, seed=1, tied=True)


@pytest.fixture(scope="module")
def untied() -> Rankings:
    return rankings(COUNT, seed=2, tied=False)


@pytest.fixture(scope="module")
def short() -> Rankings:
    return rankings(COUNT, seed=3, tied=True, longest=5, levels=3)


def any_relevant(many: Rankings) -> np.ndarray:
    return many.ranked.total_relevant > 0


def assert_same(found: np.ndarray, expected: np.ndarray, defined: np.ndarray) -> None:
    assert defined.sum() > COUNT / 2
    np.testing.assert_array_equal(np.isnan(found), ~defined)
    np.testing.assert_allclose(found[defined], expected[defined], rtol=0, atol=EXACT)


def test_ndcg_of_graded_tied_lists_is_scikit_learns(tied: Rankings) -> None:
    """List by list for the first, and the means that it gives of all lists of a length."""
    found = {k: tied.values(f"ndcg@{k}") for k in (1, 5, 10)}
    for number, (score, gain) in itertools.islice(enumerate(tied), 400):
        if len(gain) > 1 and gain.any():  # it takes no lists of a single row
            assert found[5][number] == pytest.approx(ndcg_score([gain], [score], k=5), abs=EXACT)
    length = np.diff(tied.offsets)
    for size, k in itertools.product(range(2, length.max() + 1), found):
        rows = np.flatnonzero((length == size) & any_relevant(tied))
        cells = tied.offsets[rows][:, None] + np.arange(size)
        assert found[k][rows].mean() == pytest.approx(ndcg_score(tied.gain[cells], tied.score[cells], k=k), abs=EXACT)


def test_auc_is_the_share_of_pairs_in_order_and_scikit_learns(tied: Rankings) -> None:
    expected = np.full(COUNT, np.nan)
    for number, (score, gain) in enumerate(tied):
        difference = score[gain > 0][:, None] - score[gain == 0]
        if difference.size:
            expected[number] = np.mean((difference > 0) + 0.5 * (difference == 0))
            if number < 500:
                assert expected[number] == pytest.approx(roc_auc_score(gain > 0, score), abs=EXACT)
    assert_same(tied.values("auc"), expected, ~np.isnan(expected))


def test_average_precision_of_whole_untied_lists_is_scikit_learns(untied: Rankings) -> None:
    found = untied.values("map@1000000")
    for number, (score, gain) in enumerate(untied):
        if number < 500 and gain.any():
            assert found[number] == pytest.approx(average_precision_score(gain > 0, score), abs=EXACT)


def test_minds_script(untied: Rankings) -> None:
    """Its mrr is the mean of 1/rank over all clicks, its gain 2^label − 1, and it discounts by log2(rank + 1)."""
    clicked = Rankings(untied.offsets, untied.score, (untied.gain > 0).astype(float))
    expected = {name: np.full(COUNT, np.nan) for name in ("mrr", "ndcg@5", "ndcg@10")}
    discount = np.log2(np.arange(untied.ranked.length.max()) + 2)
    for number, (score, click) in enumerate(clicked):
        if not click.any():
            continue
        shown = click[np.argsort(-score)]
        expected["mrr"][number] = (shown / np.arange(1, len(shown) + 1)).sum() / shown.sum()
        for k in (5, 10):
            best = np.sort(click)[::-1]
            dcg, ideal = (((2.0**one - 1) / discount[: len(one)])[:k].sum() for one in (shown, best))
            expected[f"ndcg@{k}"][number] = dcg / ideal
    for name, values in expected.items():
        assert_same(clicked.values(name), values, any_relevant(clicked))


@pytest.mark.parametrize(
    "name", ["auc", "mrr", "rr", *(f"{m}@{k}" for m in ("ndcg", "hit", "recall", "map") for k in (1, 2, 4, 10))]
)
def test_every_metric_of_short_lists_is_the_mean_over_all_orders_of_their_ties(name: str, short: Rankings) -> None:
    """To 1e-12: 10,000 lists of up to five rows, most of them with ties, against the definition order by order."""
    expected = np.full(COUNT, np.nan)
    for number, (score, gain) in enumerate(short):
        hits = np.count_nonzero(gain)
        if hits and (name != "auc" or hits < len(gain)):
            expected[number] = by_all_orders(name, tuple(score), tuple(gain))
    found = short.values(name)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@functools.cache
def by_all_orders(name: str, score: tuple[float, ...], gain: tuple[float, ...]) -> float:
    relevant = [int(value > 0) for value in gain]
    return by_enumeration(name, list(score), relevant, list(gain))


def as_dictionaries(many: Rankings) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """What is relevant, and the runs, of lists with something relevant."""
    truth, run = {}, {}
    for number, (score, gain) in enumerate(many):
        if gain.any():
            truth[f"q{number}"] = {f"d{row}": int(value) for row, value in enumerate(gain)}
            run[f"q{number}"] = {f"d{row}": float(value) for row, value in enumerate(score)}
    return truth, run


def test_trec_eval(untied: Rankings) -> None:
    truth, run = as_dictionaries(untied)
    measures = {"recip_rank", "ndcg_cut.5,10", "success.5,10", "recall.5,10", "map_cut.5,10"}
    answers = pytrec_eval.RelevanceEvaluator(truth, measures).evaluate(run)
    defined, relevant = any_relevant(untied), untied.ranked.total_relevant

    def theirs(measure: str) -> np.ndarray:
        return np.array([answers[f"q{n}"][measure] if f"q{n}" in answers else np.nan for n in range(COUNT)])

    assert_same(untied.values("rr"), theirs("recip_rank"), defined)
    for k in (5, 10):
        # It divides by all relevant items, of which k places cannot hold more than k.
        whole = relevant / np.maximum(np.minimum(k, relevant), 1)
        assert_same(untied.values(f"ndcg@{k}"), theirs(f"ndcg_cut_{k}"), defined)
        assert_same(untied.values(f"hit@{k}"), theirs(f"success_{k}"), defined)
        assert_same(untied.values(f"recall@{k}"), theirs(f"recall_{k}") * whole, defined)
        assert_same(untied.values(f"map@{k}"), theirs(f"map_cut_{k}") * whole, defined)


@pytest.mark.slow
def test_ranx(untied: Rankings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling takes a minute, these lists a moment
    from ranx import Qrels, Run, evaluate

    truth, run = as_dictionaries(untied)
    relevant = {query: {item: gain for item, gain in found.items() if gain} for query, found in truth.items()}
    names = ["ndcg@10", "mrr", "hit_rate@10", "recall@10", "map@10"]
    answers = evaluate(Qrels(relevant), Run(run), names, return_mean=False)
    defined = any_relevant(untied)
    total = untied.ranked.total_relevant[defined]
    whole = total / np.minimum(10, total)  # it too divides by all relevant items
    scale = {"ndcg@10": 1, "mrr": 1, "hit_rate@10": 1, "recall@10": whole, "map@10": whole}
    ours = {"mrr": "rr", "hit_rate@10": "hit@10"}
    order = np.argsort([f"q{n}" for n in np.flatnonzero(defined)])  # it sorts queries by name
    for name, values in answers.items():
        found = untied.values(ours.get(name, name))[defined]
        expected = np.empty(len(found))
        expected[order] = values
        np.testing.assert_allclose(found, expected * scale[name], rtol=0, atol=EXACT, err_msg=name)
