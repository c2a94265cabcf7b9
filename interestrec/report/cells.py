"""Values of every metric, summed by user: what means, intervals and comparisons are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from interestrec.core.errors import ConfigError
from interestrec.metrics import intensity, lists, ranking
from interestrec.metrics.lists import Lists

IMPRESSIONS, CATALOGUE, INTENSITY = "impressions", "catalogue", "intensity"
ALL, WARM = "all", "warm_users"
LOWER_IS_BETTER = frozenset(intensity.METRICS)


@dataclass(frozen=True)
class Cell:
    """One metric of one protocol and slice; every array has a column a system."""

    protocol: str
    slice: str
    metric: str
    sums: np.ndarray  # float64 [users, systems], sum over a user's lists or rows
    counts: np.ndarray  # float64 [users, systems], how many they are
    dropped: np.ndarray  # int64 [systems], lists or rows for which the metric is not defined
    transform: Callable[[np.ndarray], np.ndarray] = intensity.identity

    @property
    def value(self) -> np.ndarray:
        """The metric over all users; float64 [systems], NaN without any defined value."""
        total = self.counts.sum(axis=0)
        mean = np.divide(self.sums.sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
        return self.transform(mean)


@dataclass(frozen=True)
class Scored:
    """One system's lists, or cut lists beside the truth, with whose they are."""

    lists: Lists
    user: np.ndarray  # int64 [lists]


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of ranking metrics and of intensity metrics.

    Raises:
        ConfigError: a name is neither.
    """
    of_rows = [name for name in names if name in intensity.METRICS]
    of_lists = [name for name in names if name not in intensity.METRICS]
    for name in of_lists:
        try:
            ranking.metric(name)
        except ConfigError as error:
            raise ConfigError(f"evaluate.metrics: {error}; {', '.join(sorted(intensity.METRICS))} too") from None
    return of_lists, of_rows


def ranking_cells(
    protocol: str, names: Sequence[str], systems: Sequence[Scored], n_users: int, slices: dict[str, np.ndarray]
) -> list[Cell]:
    """Cells of ranking metrics.

    Args:
        systems: each system's lists, of the same requests.
        slices: bool [users] by name.
    """
    cells = []
    for name in names:
        values = [ranking.metric(name)(system.lists) for system in systems]
        for slice_name, users in slices.items():
            columns = [
                _by_user(value, system.user, users, n_users) for value, system in zip(values, systems, strict=True)
            ]
            sums, counts, dropped = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
            cells.append(Cell(protocol, slice_name, name, sums[users], counts[users], dropped))
    return cells


def intensity_cells(
    names: Sequence[str],
    label: np.ndarray,
    predicted: np.ndarray,
    user: np.ndarray,
    n_users: int,
) -> list[Cell]:
    """Cells of intensity metrics.

    Args:
        label: float [rows] in [0, 1], NaN where unknown.
        predicted: float [rows, systems], NaN where a system predicts nothing.
        user: int64 [rows].
    """
    cells = []
    everyone = np.ones(n_users, dtype=bool)
    for name in names:
        loss, transform = intensity.METRICS[name]
        columns = [_by_user(loss(label, column), user, everyone, n_users) for column in predicted.T]
        sums, counts, dropped = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
        cells.append(Cell(INTENSITY, ALL, name, sums, counts, dropped, transform))
    return cells


def shown_lists(offsets: np.ndarray, score: np.ndarray, label: np.ndarray, relevant: np.ndarray, graded: bool) -> Lists:
    """Lists of whole impressions; the gain is relevance or, graded, the label (unknown: 0)."""
    return lists.ranked(offsets, score, relevant, _gain(label, relevant, graded))


def cut_lists(
    row_user: np.ndarray,
    item: np.ndarray,
    score: np.ndarray,
    truth_user: np.ndarray,
    truth_item: np.ndarray,
    truth_label: np.ndarray,
    truth_relevant: np.ndarray,
    n_users: int,
    n_items: int,
    graded: bool,
) -> Lists:
    """Each user's stored list beside all true items of the user, also those the list misses.

    Args:
        row_user, item, score: [rows] of one system's lists, in any order.
        truth_…: [truths], in any order.
        n_users, n_items: how many numbers the users and items go up to.

    Returns:
        Lists of users 0 … n_users − 1; a user without a list has an empty one.
    """
    rows = np.argsort(row_user, kind="stable")
    truths = np.lexsort((truth_item, truth_user))
    true_cell = (truth_user * n_items + truth_item)[truths]
    true_gain, true_relevant = _gain(truth_label, truth_relevant, graded)[truths], truth_relevant[truths]
    cell = row_user[rows] * n_items + item[rows]
    place = np.minimum(np.searchsorted(true_cell, cell), max(len(true_cell) - 1, 0))
    found = true_cell[place] == cell if len(true_cell) else np.zeros(len(cell), dtype=bool)
    relevant, gain = np.zeros(len(cell), dtype=bool), np.zeros(len(cell))
    relevant[found], gain[found] = true_relevant[place[found]], true_gain[place[found]]
    offsets = np.searchsorted(row_user[rows], np.arange(n_users + 1))
    return lists.ranked_with_truth(offsets, score[rows], relevant, gain, truth_user[truths], true_relevant, true_gain)


def _gain(label: np.ndarray, relevant: np.ndarray, graded: bool) -> np.ndarray:
    return np.nan_to_num(label.astype(np.float64)) if graded else relevant.astype(np.float64)


def _by_user(
    value: np.ndarray, user: np.ndarray, chosen: np.ndarray, n_users: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums and counts a user, and how many of the chosen users' values are undefined."""
    undefined = np.isnan(value)
    defined = ~undefined
    sums = np.bincount(user[defined], value[defined], minlength=n_users)
    counts = np.bincount(user[defined], minlength=n_users).astype(np.float64)
    return sums, counts, np.asarray((undefined & chosen[user]).sum())
