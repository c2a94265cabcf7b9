"""Ranking metrics per list; ties count by expectation over all orders of the tied rows.

A scorer that gives every candidate the same score gets exactly the mean value of a random order (McSherry and Najork,
"Computing information retrieval performance measures efficiently in the presence of tied scores", ECIR 2008). Every
metric maps lists to float64 [lists], NaN where it is undefined.
"""

import re
from collections.abc import Callable

import numpy as np

from interestrec.core import ragged
from interestrec.core.choices import pick
from interestrec.core.errors import ConfigError
from interestrec.metrics.ranked_lists import RankedLists, ratio

Metric = Callable[[RankedLists], np.ndarray]


def auc(lists: RankedLists) -> np.ndarray:
    """Share of (relevant, other) pairs in the right order, a tie counts half; undefined with one class."""
    others = lists.length - lists.total_relevant
    below_or_tied = others[lists.block_list] - (lists.before - lists.relevant_before)
    tied = lists.size - lists.relevant
    pairs = lists.relevant * (below_or_tied - tied + 0.5 * tied)
    return ratio(lists.sum_by_list(pairs), lists.total_relevant * others)


def mrr(lists: RankedLists) -> np.ndarray:
    """MIND's MRR: mean of 1/rank over all relevant items of the list."""
    return ratio(lists.sum_by_list(lists.relevant * lists.mean_over_ranks(reciprocal)), lists.total_relevant)


def rr(lists: RankedLists) -> np.ndarray:
    """1/rank of the first relevant item.

    Within the first block with a relevant row, the first of r relevant among n tied rows is the j-th with probability
    C(n - j, r - 1) / C(n, r).
    """
    chosen = np.flatnonzero((lists.relevant > 0) & (lists.relevant_before == 0))
    n, r = lists.size[chosen], lists.relevant[chosen]
    offsets = ragged.from_lengths(n)
    block, j = ragged.owner(offsets), ragged.positions(offsets) + 1
    possible = j <= (n - r + 1)[block]
    block, j = block[possible], j[possible]
    probability = np.exp(_log_choose(n[block] - j, r[block] - 1) - _log_choose(n[block], r[block]))
    value = np.bincount(block, probability / (lists.before[chosen][block] + j), minlength=len(chosen))
    total = np.bincount(lists.block_list[chosen], value, minlength=lists.n_lists)
    return np.where(lists.total_relevant > 0, total, np.nan)


def ndcg(lists: RankedLists, k: int) -> np.ndarray:
    """Gain of the first k, discounted by 1/log2(rank + 1), over the value of the best possible order."""
    actual = lists.sum_by_list(lists.gain * lists.mean_over_ranks(discount, k))
    owner, rank = ragged.owner(lists.ideal_offsets), ragged.positions(lists.ideal_offsets)
    attainable = np.where(rank < k, lists.ideal_gain / np.log2(rank + 2), 0.0)
    return ratio(actual, np.bincount(owner, attainable, minlength=lists.n_lists), lists.total_relevant > 0)


def hit(lists: RankedLists, k: int) -> np.ndarray:
    """1 if one of the first k is relevant; if a block crosses k, the probability that one is."""
    slots = lists.rows_within(k)
    n, r = lists.size, lists.relevant
    log_none = np.where(lists.before >= k, 0.0, -np.inf)
    missed = (slots <= n - r) & (lists.before < k)
    log_none[missed] = _log_choose((n - r)[missed], slots[missed]) - _log_choose(n[missed], slots[missed])
    return np.where(lists.total_relevant > 0, 1.0 - np.exp(lists.sum_by_list(log_none)), np.nan)


def recall(lists: RankedLists, k: int) -> np.ndarray:
    """Relevant items among the first k over min(k, relevant)."""
    hits = lists.sum_by_list(lists.relevant * lists.rows_within(k) / lists.size)
    return ratio(hits, np.minimum(k, lists.total_relevant))


def average_precision(lists: RankedLists, k: int) -> np.ndarray:
    """Sum of the precision at the ranks of relevant items up to k, divided by min(k, relevant).

    For n tied rows with r relevant ones, below b rows with s relevant ones, the j-th row is relevant with probability
    r / n; the expected precision is then (s + 1 + (j − 1)(r − 1)/(n − 1)) / (b + j).
    """
    n, r, above = lists.size, lists.relevant, lists.relevant_before
    reciprocals = n * lists.mean_over_ranks(reciprocal, k)  # Σ 1/(b + j) over the block's ranks up to k
    others = (r - 1) / np.maximum(n - 1, 1) * (lists.rows_within(k) - (lists.before + 1) * reciprocals)
    return ratio(lists.sum_by_list(r / n * ((above + 1) * reciprocals + others)), np.minimum(k, lists.total_relevant))


# A metric of the first k ranks takes k as its argument; users write a number for it, as in `ndcg@10`.
RANKING_METRICS: dict[str, Callable[..., np.ndarray]] = {
    "auc": auc,
    "mrr": mrr,
    "rr": rr,
    "ndcg@k": ndcg,
    "hit@k": hit,
    "recall@k": recall,
    "map@k": average_precision,
}


def cutoff(name: str) -> int | None:
    """Return the k of a name such as `ndcg@10`; None for a metric of the whole list."""
    match = re.fullmatch(r"\w+@([1-9]\d*)", name)
    return int(match[1]) if match else None


def metric(name: str) -> Metric:
    """Return the metric of RANKING_METRICS by name, with a positive number for k.

    Raises:
        ConfigError: the name is unknown or lacks a number for k.
    """
    k = cutoff(name)
    if k is None:
        if name == "" or name.endswith("@k"):
            raise ConfigError(f"metric '{name}': write a number for k, as in ndcg@10")
        return pick(RANKING_METRICS, name, "metric")
    metric_at_k = pick(RANKING_METRICS, name.partition("@")[0] + "@k", "metric")
    return lambda lists: metric_at_k(lists, k)


def reciprocal(rank: np.ndarray) -> np.ndarray:
    """1/rank; float64 [ranks]."""
    return 1.0 / rank


def discount(rank: np.ndarray) -> np.ndarray:
    """1/log2(rank + 1), the discount of nDCG (Järvelin and Kekäläinen 2002); float64 [ranks]."""
    return 1.0 / np.log2(rank + 1.0)


def _log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln  # a slow import, which would delay every reading of a configuration

    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
