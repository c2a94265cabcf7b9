"""Metrics of lists of which only the relevant items of one part are left: memorised or generalised pairs."""

from collections.abc import Sequence

import numpy as np

from interestrec.core import ragged
from interestrec.evaluation import metric_sums
from interestrec.evaluation.list_metrics import (
    ListTruth,
    SystemLists,
    rank_impressions,
    rank_stored_lists,
    sub_lists,
)
from interestrec.evaluation.metric_sums import SliceMetrics
from interestrec.evaluation.pair_parts import NEITHER, PARTS, PairParts, positions
from interestrec.evaluation.ranking_blocks import RankingBlock


class PairLists:
    """The lists of all systems by part: the relevant items of the other parts are removed, other items stay.

    So an item is neither helped nor hindered by a relevant item of another part. A list without a relevant item of the
    part is left out.
    """

    def __init__(
        self, systems: Sequence[str], metrics: Sequence[str], pairs: PairParts, truth: ListTruth, graded: bool
    ) -> None:
        self._lists = {name: {system: SystemLists(metrics) for system in systems} for name in PARTS}
        self._pairs, self._truth, self._graded = pairs, truth, graded
        self._n_items = 1 + int(truth.item.max(initial=0))
        self._truth_cell = ragged.owner(truth.offsets) * self._n_items + truth.item
        self._sub_truth = {name: self._truth_of(part) for name, part in PARTS.items()}

    def add_impressions(self, block: RankingBlock) -> None:
        """Add impressions with their candidates."""
        relevant = block.numbers["relevant"]
        found = np.full(len(relevant), NEITHER, np.int8)
        rows, owner = np.flatnonzero(relevant), block.owner
        found[rows] = self._pairs.of_candidates(block.list_id["impression_id"], owner[rows], block.item[rows])
        score, label = block.numbers["score"], block.numbers["label"]
        for name, part in PARTS.items():
            has_part = np.zeros(len(block.user), bool)
            has_part[owner[found == part]] = True
            kept = has_part[owner] & (~relevant | (found == part))
            user, offsets = sub_lists(block.user, block.offsets, kept)
            ranked = rank_impressions(offsets, score[kept], label[kept], relevant[kept], self._graded)
            self._lists[name][block.system].rank(user, ranked)

    def add_stored(
        self, system: str, user: np.ndarray, offsets: np.ndarray, item: np.ndarray, score: np.ndarray
    ) -> None:
        """Add stored lists, of which relevant items may lie beyond the end.

        Args:
            user: int64 [lists].
            offsets: int64 [lists + 1] into `item` and `score`, [rows].
        """
        owner = ragged.owner(offsets)
        cell = np.where(item < self._n_items, user[owner] * self._n_items + item, -1)
        place, in_truth = positions(self._truth_cell, cell)
        removable = np.zeros(len(item), bool)
        removable[in_truth] = self._truth.relevant[place[in_truth]]
        found = np.full(len(item), NEITHER, np.int8)
        found[in_truth] = self._pairs.truth[place[in_truth]]
        for name, part in PARTS.items():
            truth = self._sub_truth[name]
            has_part = np.diff(ragged.filtered(truth.offsets, truth.relevant))[user] > 0
            kept = has_part[owner] & (~removable | (found == part))
            lengths = np.diff(ragged.filtered(offsets, kept))[has_part]
            ranked = rank_stored_lists(
                user[has_part], ragged.from_lengths(lengths), item[kept], score[kept], truth, self._graded
            )
            self._lists[name][system].rank(user[has_part], ranked)

    def sums(self, protocol: str, n_users: int) -> SliceMetrics:
        """Return the cells of both parts."""
        made = [
            metric_sums.candidate_slice_sums(protocol, name, list(lists.values()), n_users)
            for name, lists in self._lists.items()
        ]
        return SliceMetrics(
            [cell for sliced in made for cell in sliced.cells],
            {name: count for sliced in made for name, count in sliced.left_out.items()},
        )

    def _truth_of(self, part: int) -> ListTruth:
        """The truth without the relevant items of the other parts."""
        truth = self._truth
        kept = ~truth.relevant | (self._pairs.truth == part)
        return ListTruth(
            ragged.filtered(truth.offsets, kept), truth.item[kept], truth.label[kept], truth.relevant[kept]
        )
