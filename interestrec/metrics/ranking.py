"""Ranking metrics a list, with ties taken by expectation over all orders of the tied rows.

A scorer that gives every candidate the same score gets exactly what a random order gets on average
(McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence
of tied scores", ECIR 2008). Every metric maps lists to float64 [lists], NaN where it is undefined.
"""

import re
from collections.abc import Callable

import numpy as np

from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError
from interestrec.metrics.ranked_lists import RankedLists

Metric = Callable[[RankedLists], np.ndarray]


def auc(lists: RankedLists) -> np.ndarray:
    """Share of (relevant, other) pairs in the right order, a tie counting half; undefined with one class."""
    others = lists.length - lists.total_relevant
    below_or_tied = _per_block(lists, others) - (lists.before - lists.relevant_before)
    tied = lists.size - lists.relevant
    pairs = lists.relevant * (below_or_tied - tied + 0.5 * tied)
    return _divide(_sum_by_list(lists, pairs), lists.total_relevant * others)


def mrr(lists: RankedLists) -> np.ndarray:
    """MIND's MRR: mean of 1/rank over all relevant items of the list."""
    return _divide(_sum_by_list(lists, lists.relevant * _mean_over_positions(lists, _reciprocals)), _relevant(lists))


def rr(lists: RankedLists) -> np.ndarray:
    """1/rank of the first relevant item.

    Within the first block that holds a relevant row, the first of r relevant among n tied rows is the j-th
    with probability C(n - j, r - 1) / C(n, r).
    """
    chosen = np.flatnonzero((lists.relevant > 0) & (lists.relevant_before == 0))
    n, r = lists.size[chosen], lists.relevant[chosen]
    block = np.repeat(np.arange(len(chosen)), n)
    j = np.arange(len(block)) - np.repeat(np.cumsum(n) - n, n) + 1
    possible = j <= (n - r + 1)[block]
    block, j = block[possible], j[possible]
    probability = np.exp(_log_choose(n[block] - j, r[block] - 1) - _log_choose(n[block], r[block]))
    value = np.bincount(block, probability / (lists.before[chosen][block] + j), minlength=len(chosen))
    total = np.bincount(lists.block_list[chosen], value, minlength=lists.n_lists)
    return np.where(lists.total_relevant > 0, total, np.nan)


def ndcg(lists: RankedLists, k: int) -> np.ndarray:
    """Discounted gain of the first k, 1/log2(rank + 1), over that of the best possible order."""
    reached = _sum_by_list(lists, lists.gain * _mean_over_positions(lists, _discounts, k))
    rank = np.arange(len(lists.ideal_gain)) - np.repeat(lists.ideal_offsets[:-1], np.diff(lists.ideal_offsets))
    owner = np.repeat(np.arange(lists.n_lists), np.diff(lists.ideal_offsets))
    attainable = np.where(rank < k, lists.ideal_gain / np.log2(rank + 2), 0.0)
    return _divide(reached, np.bincount(owner, attainable, minlength=lists.n_lists), lists.total_relevant > 0)


def hit(lists: RankedLists, k: int) -> np.ndarray:
    """1 when one of the first k is relevant; where a block crosses k, the probability that it is."""
    slots = _slots(lists, k)
    n, r = lists.size, lists.relevant
    log_none = np.where(lists.before >= k, 0.0, -np.inf)
    missed = (slots <= n - r) & (lists.before < k)
    log_none[missed] = _log_choose((n - r)[missed], slots[missed]) - _log_choose(n[missed], slots[missed])
    return np.where(lists.total_relevant > 0, 1.0 - np.exp(_sum_by_list(lists, log_none)), np.nan)


def recall(lists: RankedLists, k: int) -> np.ndarray:
    """Relevant items among the first k over min(k, relevant)."""
    found = _sum_by_list(lists, lists.relevant * _slots(lists, k) / lists.size)
    return _divide(found, np.minimum(k, _relevant(lists)))


def average_precision(lists: RankedLists, k: int) -> np.ndarray:
    """Mean over the lists' relevant items of the precision at their ranks up to k; divided by min(k, relevant).

    Of n tied rows, r of them relevant, with b rows and s relevant ones above, the j-th is relevant with probability
    r / n, and then expects s + 1 + (j − 1)(r − 1)/(n − 1) relevant ones down to it, over b + j rows.
    """
    n, r, above = lists.size, lists.relevant, lists.relevant_before
    reciprocals = n * _mean_over_positions(lists, _reciprocals, k)  # Σ 1/(b + j) over the block's ranks up to k
    others = (r - 1) / np.maximum(n - 1, 1) * (_slots(lists, k) - (lists.before + 1) * reciprocals)
    return _divide(_sum_by_list(lists, r / n * ((above + 1) * reciprocals + others)), np.minimum(k, _relevant(lists)))


WHOLE_LIST_METRICS = {"auc": auc, "mrr": mrr, "rr": rr}
METRICS_AT_K = {"ndcg": ndcg, "hit": hit, "recall": recall, "map": average_precision}
RANKING_METRICS: dict[str, Callable[..., np.ndarray]] = {
    **WHOLE_LIST_METRICS,
    **{f"{name}@k": metric for name, metric in METRICS_AT_K.items()},
}


def cutoff(name: str) -> int | None:
    """The k of `ndcg@k`; None for a metric of the whole list."""
    match = re.fullmatch(r"\w+@([1-9]\d*)", name)
    return int(match[1]) if match else None


def metric(name: str) -> Metric:
    """The metric called `auc`, `mrr`, `rr`, `ndcg@k`, `hit@k`, `recall@k` or `map@k`, k a positive number.

    Raises:
        ConfigError: there is no such metric.
    """
    k = cutoff(name)
    if k is None:
        if name == "" or name.endswith("@k"):
            raise ConfigError(f"metric '{name}': write a number for k, as in ndcg@10")
        return pick(RANKING_METRICS, name, "metric")
    chosen = pick(RANKING_METRICS, name.partition("@")[0] + "@k", "metric")
    return lambda lists: chosen(lists, k)


def _relevant(lists: RankedLists) -> np.ndarray:
    return lists.total_relevant


def _per_block(lists: RankedLists, per_list: np.ndarray) -> np.ndarray:
    return per_list[lists.block_list]


def _sum_by_list(lists: RankedLists, per_block: np.ndarray) -> np.ndarray:
    return np.bincount(lists.block_list, per_block, minlength=lists.n_lists)


def _slots(lists: RankedLists, k: int) -> np.ndarray:
    """How many of a block's rows stand among the first k."""
    return np.clip(k - lists.before, 0, lists.size)


def _mean_over_positions(
    lists: RankedLists, weights: Callable[[np.ndarray], np.ndarray], k: int | None = None
) -> np.ndarray:
    """Mean weight of the ranks a block covers, ranks beyond k weighing nothing: what each tied row expects."""
    longest = int(lists.length.max(initial=0))
    ranks = np.arange(1, longest + 1, dtype=np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(weights(ranks))])
    last = longest if k is None else min(k, longest)
    start, stop = np.minimum(lists.before, last), np.minimum(lists.before + lists.size, last)
    return (cumulative[stop] - cumulative[start]) / lists.size


def _reciprocals(rank: np.ndarray) -> np.ndarray:
    return 1.0 / rank


def _discounts(rank: np.ndarray) -> np.ndarray:
    return 1.0 / np.log2(rank + 1.0)


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln  # here, as it would slow down every reading of a configuration

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _divide(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    where = (denominator > 0) if defined is None else defined & (denominator > 0)
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=where)
