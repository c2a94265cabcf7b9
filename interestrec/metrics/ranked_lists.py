"""Ranked lists of many requests as flat arrays, divided into blocks of tied scores."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from interestrec.core import ragged


@dataclass(frozen=True)
class RankedLists:
    """Lists in descending order of score, as the statistics of their tied blocks that the metrics need.

    A block is a maximal run of equal scores within a list; `before` counts the list's rows above it. Only blocks with a
    relevant row or a gain are stored, because no metric needs the others, which are the vast majority in most logs.
    Totals also count relevant items that a truncated list does not contain.
    """

    n_lists: int
    block_list: np.ndarray  # int64 [blocks], the list of the block
    before: np.ndarray  # int64 [blocks], rows of the list above the block
    size: np.ndarray  # int64 [blocks]
    relevant: np.ndarray  # int64 [blocks], relevant rows in the block
    relevant_before: np.ndarray  # int64 [blocks], relevant rows of the list above the block
    gain: np.ndarray  # float64 [blocks], sum of gains in the block
    length: np.ndarray  # int64 [lists]
    total_relevant: np.ndarray  # int64 [lists]
    ideal_offsets: np.ndarray  # int64 [lists + 1]
    ideal_gain: np.ndarray  # float64, the positive gains of each list in descending order

    def sum_by_list(self, per_block: np.ndarray) -> np.ndarray:
        """Sum values [blocks] over the blocks of each list; float64 [lists]."""
        return np.bincount(self.block_list, per_block, minlength=self.n_lists)

    def rows_within(self, k: int) -> np.ndarray:
        """Number of rows of each block that can rank among the first k of the list; int64 [blocks]."""
        return np.clip(k - self.before, 0, self.size)

    def mean_over_ranks(self, weights: Callable[[np.ndarray], np.ndarray], k: int | None = None) -> np.ndarray:
        """Mean weight of the ranks that a block covers, the expectation of each of its tied rows; float64 [blocks].

        Args:
            weights: weight per rank from 1, float64 [ranks] to float64 [ranks].
            k: ranks beyond it have weight 0; None = all ranks of the list count.
        """
        longest = int(self.length.max(initial=0))
        ranks = np.arange(1, longest + 1, dtype=np.float64)
        cumulative = np.concatenate([[0.0], np.cumsum(weights(ranks))])
        last = longest if k is None else min(k, longest)
        start, stop = np.minimum(self.before, last), np.minimum(self.before + self.size, last)
        return (cumulative[stop] - cumulative[start]) / self.size


def rank_lists(offsets: np.ndarray, score: np.ndarray, relevant: np.ndarray, gain: np.ndarray) -> RankedLists:
    """Rank lists that contain all their candidates.

    Args:
        offsets: int64 [lists + 1]; list i is rows `offsets[i]:offsets[i + 1]` of the other arrays.
        score: float64 [rows], higher is better.
        relevant: bool [rows].
        gain: float64 [rows], ≥ 0, for ndcg.
    """
    return rank_with_truth(offsets, score, relevant, gain, ragged.owner(offsets), relevant, gain)


def rank_with_truth(
    offsets: np.ndarray,
    score: np.ndarray,
    relevant: np.ndarray,
    gain: np.ndarray,
    truth_list: np.ndarray,
    truth_relevant: np.ndarray,
    truth_gain: np.ndarray,
) -> RankedLists:
    """Rank truncated lists; relevant items beyond the cutoff count as missed.

    Args:
        truth_list: int64 [truths], ascending; the list of each true item, whether the list contains the item or not.
        truth_relevant: bool [truths].
        truth_gain: float64 [truths].
        offsets, score, relevant, gain: as for `rank_lists`.
    """
    n_lists = len(offsets) - 1
    owner = ragged.owner(offsets)
    order = _best_first(score, owner, n_lists)
    ordered = score[order]
    starts_block = np.ones(len(order), dtype=bool)
    starts_block[1:] = (ordered[1:] != ordered[:-1]) | (owner[1:] != owner[:-1])
    first = np.flatnonzero(starts_block)
    size = np.diff(np.append(first, len(order)))
    hits = np.concatenate([[0], np.cumsum(relevant[order], dtype=np.int64)])
    gains = np.add.reduceat(gain[order], first) if len(first) else np.zeros(0)
    kept = (hits[first + size] > hits[first]) | (gains > 0)
    first, size, gains = first[kept], size[kept], gains[kept]
    block_list = owner[first]
    ideal_list, ideal_gain = _ideal(truth_list, truth_gain)
    return RankedLists(
        n_lists=n_lists,
        block_list=block_list,
        before=first - offsets[block_list],
        size=size,
        relevant=hits[first + size] - hits[first],
        relevant_before=hits[first] - hits[offsets[block_list]],
        gain=gains.astype(np.float64),
        length=np.diff(offsets),
        total_relevant=np.bincount(truth_list[truth_relevant], minlength=n_lists),
        ideal_offsets=ragged.from_owner(ideal_list, n_lists),
        ideal_gain=ideal_gain,
    )


def _best_first(score: np.ndarray, owner: np.ndarray, n_lists: int) -> np.ndarray:
    """Order rows by list, then by descending score; stable, so that the order does not depend on the processor."""
    order = np.argsort(-score, kind="stable")
    # The narrowest type: NumPy sorts 16-bit numbers by radix.
    return order[np.argsort(owner.astype(np.min_scalar_type(n_lists))[order], kind="stable")]


def _ideal(truth_list: np.ndarray, truth_gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return list and gain of all true items with a positive gain, by list and descending gain."""
    positive = np.flatnonzero(truth_gain > 0)
    owner, gain = truth_list[positive], truth_gain[positive].astype(np.float64)
    order = np.lexsort((-gain, owner))
    return owner[order], gain[order]


def ratio(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray | None = None) -> np.ndarray:
    """Divide, with NaN where the denominator is 0 or the metric is undefined; float64 [lists].

    Args:
        defined: bool [lists]; None = defined wherever the denominator is above 0.
    """
    where = (denominator > 0) if defined is None else defined & (denominator > 0)
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=where)
