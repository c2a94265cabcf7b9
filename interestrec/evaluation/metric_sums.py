"""Values of every metric, summed by user: what means, intervals and comparisons are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from interestrec.evaluation.intensity_metrics import PredictedRows
from interestrec.evaluation.list_metrics import SystemLists
from interestrec.evaluation.slices import ALL, FEWEST_LISTS, Slice
from interestrec.metrics import intensity_errors
from interestrec.metrics.intensity_errors import Transform

IMPRESSIONS, CATALOGUE, INTENSITY, BEYOND = "impressions", "catalogue", "intensity", "beyond"
LOWER_IS_BETTER = frozenset(
    {*intensity_errors.INTENSITY_ERRORS, intensity_errors.ECE, "gini", "category_calibration", "popularity_lift"},
)


@dataclass(frozen=True)
class MetricSums:
    """One metric of one protocol and slice: transform(Σ sums / Σ counts) over users, the mean of it over seeds."""

    protocol: str
    slice: str
    metric: str
    user: np.ndarray  # int64 [users], ascending; the same for all cells of a protocol and slice
    sums: np.ndarray  # float64 [users, systems, seeds, parts], sum over a user's lists or rows
    counts: np.ndarray  # float64 [users, systems], how many they are
    dropped: np.ndarray  # int64 [systems], lists or rows for which the metric is not defined
    transform: Transform = intensity_errors.identity
    seed_sd: np.ndarray | None = None  # float64 [systems], standard deviation of the metric between seeds

    @property
    def value(self) -> np.ndarray:
        """The metric over all users; float64 [systems], NaN without any defined value."""
        return self.of(self.sums.sum(axis=0), self.counts.sum(axis=0))

    @property
    def n(self) -> np.ndarray:
        """int64 [systems], lists or rows behind the value."""
        return self.counts.sum(axis=0).astype(np.int64)

    def of(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The metric from sums [..., seeds, parts] and counts [...]; NaN where nothing was counted."""
        count = counts[..., None, None]
        mean = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
        return self.transform(mean).mean(axis=-1)


@dataclass(frozen=True)
class WholeCell:
    """A metric that is one figure of all lists or rows together and no mean over users: it has no interval."""

    protocol: str
    slice: str
    metric: str
    value: np.ndarray  # float64 [systems]
    n: np.ndarray  # int64 [systems]
    dropped: np.ndarray  # int64 [systems]
    users: int  # behind it
    seed_sd: np.ndarray | None = None  # float64 [systems]


@dataclass(frozen=True)
class SlicedCell:
    """Cells of a protocol, and slices that have too few lists to be reported: their names and how many they have."""

    cells: list[MetricSums]
    left_out: dict[str, int]


def split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of ranking metrics and of intensity metrics; the configuration has validated them."""
    intensity = [name for name in names if name in intensity_errors.INTENSITY_METRICS]
    return [name for name in names if name not in intensity], intensity


def list_cells(protocol: str, systems: Sequence[SystemLists], n_users: int, slices: Sequence[Slice] = ()) -> SlicedCell:
    """Cells of metrics whose value is a mean over lists: of all lists, and of slices by users or by relevant items.

    A slice that holds all lists says nothing new and is left out without a word.

    Args:
        systems: each system's lists, of the same requests.
    """
    names = systems[0].names
    n_lists = np.bincount(systems[0].user, minlength=n_users)
    whole = _cells(protocol, ALL, systems, names, [None] * len(systems), n_users)
    cells, left_out = list(whole), {}
    parts = [one.name for one in slices if one.by == "relevant"]
    for one in slices:
        if one.by == "candidates":
            continue
        if one.by == "users":
            count = int(n_lists[one.members].sum())
        else:
            count = int(systems[0].holds[:, parts.index(one.name)].sum())
        if count == int(n_lists.sum()):
            continue
        if count < FEWEST_LISTS:
            left_out[one.name] = count
        elif one.by == "users":
            cells += [sum_by_user(cell, one, systems) for cell in whole]
        else:
            chosen = [system.holds[:, parts.index(one.name)] for system in systems]
            cells += _cells(protocol, one.name, systems, names, chosen, n_users)
    return SlicedCell(cells, left_out)


def cut_cells(protocol: str, name: str, systems: Sequence[SystemLists], n_users: int) -> SlicedCell:
    """Cells of lists cut to the candidates of a slice."""
    count = max(len(system.user) for system in systems)
    if count < FEWEST_LISTS:
        return SlicedCell([], {name: count} if count else {})
    return SlicedCell(_cells(protocol, name, systems, systems[0].names, [None] * len(systems), n_users), {})


def intensity_cells(
    names: Sequence[str], systems: Sequence[PredictedRows], slices: Sequence[Slice]
) -> tuple[SlicedCell, list[WholeCell]]:
    """Cells of intensity metrics, of all rows and of slices by users; and what has no interval, of all rows."""
    counts = np.stack([system.counts for system in systems], axis=1)
    undefined = np.stack([system.undefined for system in systems], axis=1)
    seen = np.flatnonzero(((counts + undefined) > 0).any(axis=1))
    every = Slice(ALL, "users", np.ones(len(counts), dtype=bool))
    cells, left_out = [], {}
    for one in (every, *(one for one in slices if one.by == "users")):
        user = seen[one.members[seen]]
        if one is not every and (len(user) == len(seen) or len(user) < FEWEST_LISTS):
            left_out.update({one.name: len(user)} if len(user) < FEWEST_LISTS else {})
            continue
        for name in names:
            if name == intensity_errors.SPEARMAN:
                continue
            transform = (
                intensity_errors.INTENSITY_ERRORS[name].transform
                if name in intensity_errors.INTENSITY_ERRORS
                else intensity_errors.absolute_sum
            )
            sums = np.stack([system.sums[name][user] for system in systems], axis=1)[:, :, None]
            dropped = undefined[user].sum(axis=0)
            cells.append(MetricSums(INTENSITY, one.name, name, user, sums, counts[user], dropped, transform))
    singles = []
    if intensity_errors.SPEARMAN in names:
        value = np.array([np.nan if system.spearman is None else system.spearman for system in systems])
        n = counts.sum(axis=0).astype(np.int64)
        singles.append(WholeCell(INTENSITY, ALL, intensity_errors.SPEARMAN, value, n, undefined.sum(axis=0), len(seen)))
    return SlicedCell(cells, left_out), singles


def sum_by_user(cell: MetricSums, one: Slice, systems: Sequence[SystemLists]) -> MetricSums:
    """The part of a cell that belongs to a slice's users."""
    kept = one.members[cell.user]
    place = systems[0].names.index(cell.metric)
    dropped = [int(np.isnan(system.values[place, one.members[system.user]]).sum()) for system in systems]
    return replace(
        cell,
        slice=one.name,
        user=cell.user[kept],
        sums=cell.sums[kept],
        counts=cell.counts[kept],
        dropped=np.array(dropped),
    )


def cells_by_family(slices: Sequence[Slice]) -> Mapping[str, list[str]]:
    """Names of the slices that are compared with each other, by family."""
    families: dict[str, list[str]] = {}
    for one in slices:
        if one.family is not None:
            families.setdefault(one.family, []).append(one.name)
    return families


def _cells(
    protocol: str,
    name: str,
    systems: Sequence[SystemLists],
    metrics: Sequence[str],
    chosen: Sequence[np.ndarray | None],
    n_users: int,
) -> list[MetricSums]:
    """A cell a metric of the chosen lists of each system, bool [lists]; None for all."""
    users = [s.user if c is None else s.user[c] for s, c in zip(systems, chosen, strict=True)]
    seen = np.zeros(n_users, dtype=bool)
    for user in users:
        seen[user] = True
    cells = []
    for place, metric in enumerate(metrics):
        columns = []
        for system, lists, user in zip(systems, chosen, users, strict=True):
            value = system.values[place] if lists is None else system.values[place, lists]
            defined = ~np.isnan(value)
            sums = np.bincount(user[defined], value[defined], minlength=n_users)
            counts = np.bincount(user[defined], minlength=n_users).astype(np.float64)
            columns.append((sums[seen], counts[seen], (~defined).sum()))
        sums, counts, dropped = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
        cells.append(MetricSums(protocol, name, metric, np.flatnonzero(seen), sums[..., None, None], counts, dropped))
    return cells
