"""Metric values of every list, system by system; nothing else is kept of a list."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interestrec.core import ragged
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.ranked_lists import RankedLists


@dataclass(frozen=True)
class ListTruth:
    """Test items of users; rows `offsets[u]:offsets[u + 1]` belong to user u, in the order of their items."""

    offsets: np.ndarray  # int64 [users + 1]
    item: np.ndarray  # int64 [truths]
    label: np.ndarray  # float [truths]
    relevant: np.ndarray  # bool [truths]

    def user_rows(self, user: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of these users in their order, and each row's position in `user`; two int64 [rows]."""
        offsets, rows = ragged.take(self.offsets, user)
        return rows, ragged.owner(offsets)


@dataclass
class SystemLists:
    """One system's lists, added block by block; a value is NaN if the metric is undefined for the list."""

    names: Sequence[str]  # names of the metrics
    longest: int = 0
    _users: list[np.ndarray] = field(default_factory=list)
    _values: list[np.ndarray] = field(default_factory=list)
    _holds: list[np.ndarray] = field(default_factory=list)

    def add(self, user: np.ndarray, values: np.ndarray, holds: np.ndarray | None = None) -> None:
        """Add lists with their metric values.

        Args:
            user: int [lists].
            values: float64 [metrics, lists].
            holds: bool [lists, slices], whether a list has a relevant item of each slice.
        """
        self._users.append(user.astype(np.int32))
        self._values.append(values)
        self._holds.append(np.zeros((len(user), 0), dtype=bool) if holds is None else holds)

    def rank(self, user: np.ndarray, ranked: RankedLists, holds: np.ndarray | None = None) -> None:
        """Compute the ranking metrics of lists and add them."""
        values = [ranking.metric(name)(ranked) for name in self.names]
        self.longest = max(self.longest, int(ranked.length.max(initial=0)))
        self.add(user, np.stack(values) if values else np.zeros((0, len(user))), holds)

    @property
    def user(self) -> np.ndarray:
        """The user of each list; int32 [lists]."""
        self._users = [np.concatenate([np.zeros(0, np.int32), *self._users])]
        return self._users[0]

    @property
    def values(self) -> np.ndarray:
        """The metric values; float64 [metrics, lists]."""
        self._values = [np.concatenate([np.zeros((len(self.names), 0)), *self._values], axis=1)]
        return self._values[0]

    @property
    def holds(self) -> np.ndarray:
        """Whether a list has a relevant item of each slice; bool [lists, slices]."""
        self._holds = [np.concatenate(self._holds)] if self._holds else []
        return self._holds[0] if self._holds else np.zeros((0, 0), dtype=bool)


def rank_impressions(
    offsets: np.ndarray, score: np.ndarray, label: np.ndarray, relevant: np.ndarray, graded: bool
) -> RankedLists:
    """Rank whole impressions; the gain is the relevance or, if `graded`, the label (0 where unknown)."""
    return ranked_lists.rank_lists(offsets, score, relevant, _gain(label, relevant, graded))


def rank_stored_lists(
    user: np.ndarray, offsets: np.ndarray, item: np.ndarray, score: np.ndarray, truth: ListTruth, graded: bool
) -> RankedLists:
    """Rank stored lists with all test items of their users, including those that the lists miss.

    Args:
        user: int64 [lists].
        offsets: int64 [lists + 1] into `item` and `score`, [rows].
    """
    rows, true_list = truth.user_rows(user)
    n_items = int(max(item.max(initial=0), truth.item.max(initial=0))) + 1
    true_cell = true_list * n_items + truth.item[rows]
    true_gain = _gain(truth.label, truth.relevant, graded)[rows]
    cell = ragged.owner(offsets) * n_items + item
    position = np.searchsorted(true_cell, cell)
    known = position < len(true_cell)
    known[known] = true_cell[position[known]] == cell[known]
    relevant, gain = np.zeros(len(cell), dtype=bool), np.zeros(len(cell))
    relevant[known] = truth.relevant[rows][position[known]]
    gain[known] = true_gain[position[known]]
    return ranked_lists.rank_with_truth(offsets, score, relevant, gain, true_list, truth.relevant[rows], true_gain)


def sub_lists(user: np.ndarray, offsets: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return users and offsets of lists after a filter of rows; lists without a row are dropped."""
    lengths = np.diff(ragged.filtered(offsets, kept))
    return user[lengths > 0], ragged.from_lengths(lengths[lengths > 0])


def part_membership(owner: np.ndarray, part: np.ndarray, n_lists: int, parts: int) -> np.ndarray:
    """Return which lists have a row of which part; bool [lists, parts].

    Args:
        owner: int64 [rows], the list of each row.
        part: int [rows], the part of each row, −1 for none.
    """
    member = np.zeros((n_lists, parts), dtype=bool)
    has_part = part >= 0
    member[owner[has_part], part[has_part]] = True
    return member


def _gain(label: np.ndarray, relevant: np.ndarray, graded: bool) -> np.ndarray:
    return np.nan_to_num(label.astype(np.float64)) if graded else relevant.astype(np.float64)
