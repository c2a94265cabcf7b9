"""What 8-bit weights cost: ndcg@10 of lists by the float32 graphs and by the quantised ones, for the same users."""

from typing import NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.metrics.bootstrap import UserValues, interval, resample
from interestrec.metrics.ranked_lists import rank_with_truth
from interestrec.metrics.ranking import ndcg

DEPTH = 10
MAX_LOSS = 0.005  # relative
_RESAMPLES = 1000


class QuantisationLoss(NamedTuple):
    """Mean ndcg@10 before and after, and the relative loss with its 95 % interval; negative is a gain."""

    users: int
    before: float
    after: float
    loss: float
    low: float
    high: float


def list_ndcg(lists: np.ndarray, request: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Return ndcg@10 of lists, float64 [requests], NaN where a request has no relevant item.

    Args:
        lists: int [requests, 10], distinct items, best first, −1 after the end.
        request, item: int [pairs], the relevant pairs, ascending by request.
    """
    count, depth = lists.shape
    row, place = np.nonzero(lists >= 0)
    width = int(max(lists.max(initial=0), item.max(initial=0))) + 1
    relevant = np.isin(row * width + lists[row, place], request * width + item)
    ones = np.ones(len(request))
    ranked = rank_with_truth(
        offsets=ragged.from_lengths(np.bincount(row, minlength=count)),
        score=(depth - place).astype(np.float64),
        relevant=relevant,
        gain=relevant.astype(np.float64),
        truth_list=request,
        truth_relevant=ones.astype(bool),
        truth_gain=ones,
    )
    return ndcg(ranked, DEPTH)


def quantisation_loss(before: np.ndarray, after: np.ndarray, seed: int) -> QuantisationLoss:
    """Compare ndcg@10 of the same requests, float64 [requests], NaN without a relevant item, by a paired bootstrap."""
    known = ~np.isnan(before)
    columns = np.stack([before[known], after[known]], axis=1)
    users = len(columns)
    sums = resample([UserValues(np.arange(users), columns)], users, _RESAMPLES, seed)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        losses = 1 - sums[:, 1] / sums[:, 0]
        loss = float(1 - columns[:, 1].sum() / columns[:, 0].sum())
    low, high = interval(losses[:, None])
    return QuantisationLoss(users, float(columns[:, 0].mean()), float(columns[:, 1].mean()), loss, low[0], high[0])
