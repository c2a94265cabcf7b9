"""What must hold between metrics, and whatever the scores and their order."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.metrics.ranking import RANKING_METRICS
from tests.examples import examples
from tests.metrics.random_lists import Rankings, rankings

KS = (1, 2, 3, 5, 10, 20)
ALL = [name.replace("@k", f"@{k}") for name in RANKING_METRICS for k in (KS if "@" in name else [0])]
NORMALISED = {"auc", "rr", "ndcg", "hit", "recall", "map"}  # 1 for every perfect order
few = examples(25)
seeds = st.tuples(st.integers(0, 10_000), st.booleans())


def drawn(seed: tuple[int, bool], count: int = 30) -> Rankings:
    return rankings(count, seed[0], tied=seed[1])


@few
@given(seeds)
def test_reversed_scores_reverse_auc(seed: tuple[int, bool]) -> None:
    many = drawn(seed)
    np.testing.assert_allclose(many.with_score(-many.score).values("auc"), 1 - many.values("auc"), atol=1e-12)


@few
@given(seeds)
def test_values_are_between_0_and_1_and_a_perfect_order_gets_1(seed: tuple[int, bool]) -> None:
    many = drawn(seed)
    for name in ALL:
        found, perfect = many.values(name), many.with_score(many.gain).values(name)
        defined = ~np.isnan(found)
        assert (found[defined] > -1e-12).all() and (found[defined] < 1 + 1e-12).all(), name
        assert (perfect[defined] >= found[defined] - 1e-12).all(), name
        if name.partition("@")[0] in NORMALISED:
            assert perfect[defined] == pytest.approx(1), name


@few
@given(seeds)
def test_more_places_never_find_less(seed: tuple[int, bool]) -> None:
    many = drawn(seed)
    dcg = {k: many.values(f"ndcg@{k}") for k in KS}
    relevant = many.ranked.total_relevant
    defined = relevant > 0
    for fewer, more in itertools.pairwise(KS):
        assert (many.values(f"hit@{more}") - many.values(f"hit@{fewer}"))[defined].min(initial=0) > -1e-12
        found = {k: (many.values(f"recall@{k}") * np.minimum(k, relevant))[defined] for k in (fewer, more)}
        assert (found[more] - found[fewer]).min(initial=0) > -1e-12
        # nDCG itself may fall where the ideal list gains more; the gain that it divides may not.
        gains = {k: (dcg[k] * ideal(many, k))[defined] for k in (fewer, more)}
        assert (gains[more] - gains[fewer]).min(initial=0) > -1e-12


def ideal(many: Rankings, k: int) -> np.ndarray:
    best = [np.sort(gain)[::-1][:k] for _, gain in many]
    return np.array([(one / np.log2(np.arange(len(one)) + 2)).sum() for one in best])


@few
@given(seeds)
def test_metrics_that_look_at_the_same_rank_differ_as_they_must(seed: tuple[int, bool]) -> None:
    many = drawn(seed)
    value = {name: many.values(name) for name in ALL}
    relevant = many.ranked.total_relevant
    some, single = relevant > 0, relevant == 1
    for k in KS:
        hit, recall, precision = value[f"hit@{k}"], value[f"recall@{k}"], value[f"map@{k}"]
        assert (hit - recall)[some].min(initial=0) > -1e-12
        assert (recall - precision)[some].min(initial=0) > -1e-12  # each precision is at most 1
        np.testing.assert_allclose(hit[single], recall[single])
        assert (hit - value["rr"] * (k > 1))[some & (many.ranked.length <= k)].min(initial=0) > -1e-12
    assert (value["rr"] - value["mrr"])[some].min(initial=0) > -1e-12  # the first click stands before the others
    np.testing.assert_allclose(value["rr"][single], value["mrr"][single])
    for name in ("recall", "map"):
        np.testing.assert_allclose(value[f"{name}@1"][some], value["hit@1"][some], atol=1e-12)


@few
@given(seeds)
def test_only_the_order_of_scores_counts_and_rows_may_come_in_any(seed: tuple[int, bool]) -> None:
    many, rng = drawn(seed), np.random.default_rng(seed[0])
    monotone = many.with_score(np.exp(3 * many.score) - 7)
    owner = np.repeat(np.arange(len(many.offsets) - 1), np.diff(many.offsets))
    shuffled = np.lexsort((rng.random(len(owner)), owner))
    other = Rankings(many.offsets, many.score[shuffled], many.gain[shuffled])
    for name in ALL:
        np.testing.assert_array_equal(many.values(name), monotone.values(name), name)
        np.testing.assert_allclose(many.values(name), other.values(name), atol=1e-12, err_msg=name)


@given(st.integers(1, 12), st.integers(1, 12))
def test_a_constant_scorer_gets_exactly_chance(length: int, relevant: int) -> None:
    relevant = min(relevant, length)
    n, r = length, relevant
    gain = (np.arange(n) < r).astype(float)
    constant = Rankings(np.array([0, n]), np.zeros(n), gain)
    auc = constant.values("auc")[0]
    assert auc == 0.5 if r < n else math.isnan(auc)
    ranks = np.arange(1, n + 1)
    assert constant.values("mrr")[0] == pytest.approx((1 / ranks).mean())
    first = [math.comb(n - j, r - 1) / math.comb(n, r) for j in range(1, n - r + 2)]
    assert constant.values("rr")[0] == pytest.approx(sum(p / j for j, p in enumerate(first, 1)))
    for k in KS:
        m = min(k, n)
        assert constant.values(f"hit@{k}")[0] == pytest.approx(1 - math.comb(n - r, m) / math.comb(n, m))
        assert constant.values(f"recall@{k}")[0] == pytest.approx(r / n * m / min(k, r))
        best = (1 / np.log2(np.arange(1, min(k, r) + 1) + 1)).sum()
        assert constant.values(f"ndcg@{k}")[0] == pytest.approx(r / n * (1 / np.log2(ranks[:m] + 1)).sum() / best)
        # The j-th place is relevant with r/n; then so is each place before it with (r − 1)/(n − 1).
        expected = [(1 + (j - 1) * (r - 1) / max(n - 1, 1)) / j for j in range(1, m + 1)]
        assert constant.values(f"map@{k}")[0] == pytest.approx(r / n * sum(expected) / min(k, r))
