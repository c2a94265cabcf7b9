"""Sums of every metric per user, from which means, intervals and comparisons are computed.

A cell is one metric of one protocol and slice, for all systems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from interestrec.evaluation.intensity_metrics import PredictedRows
from interestrec.evaluation.list_metrics import SystemLists
from interestrec.evaluation.slices import ALL, MIN_LISTS, Slice
from interestrec.metrics import intensity_errors
from interestrec.metrics.intensity_errors import Transform

IMPRESSIONS, CATALOGUE, INTENSITY, BEYOND = "impressions", "catalogue", "intensity", "beyond"
LOWER_IS_BETTER = frozenset(
    {*intensity_errors.INTENSITY_ERRORS, intensity_errors.ECE, "gini", "category_calibration", "popularity_lift"},
)


@dataclass(frozen=True)
class MetricSums:
    """A cell whose value is transform(Σ sums / Σ counts) over users, averaged over seeds."""

    protocol: str
    slice: str
    metric: str
    user: np.ndarray  # int64 [users], ascending; the same for all cells of a protocol and slice
    sums: np.ndarray  # float64 [users, systems, seeds, parts], sums over a user's lists or rows
    counts: np.ndarray  # float64 [users, systems], number of lists or rows
    dropped: np.ndarray  # int64 [systems], lists or rows for which the metric is not defined
    transform: Transform = intensity_errors.identity
    seed_sd: np.ndarray | None = None  # float64 [systems], standard deviation of the metric between seeds

    @property
    def value(self) -> np.ndarray:
        """The metric over all users; float64 [systems], NaN if no value is defined."""
        return self.evaluate(self.sums.sum(axis=0), self.counts.sum(axis=0))

    @property
    def n(self) -> np.ndarray:
        """Number of lists or rows behind the value; int64 [systems]."""
        return np.rint(self.counts.sum(axis=0)).astype(np.int64)

    def evaluate(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return the metric from sums [..., seeds, parts] and counts [...]; NaN where the count is 0."""
        count = counts[..., None, None]
        mean = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
        return self.transform(mean).mean(axis=-1)


@dataclass(frozen=True)
class PooledMetric:
    """A cell whose value is computed from all lists or rows at once, not as a mean over users; it has no interval."""

    protocol: str
    slice: str
    metric: str
    value: np.ndarray  # float64 [systems]
    n: np.ndarray  # int64 [systems]
    dropped: np.ndarray  # int64 [systems]
    users: int  # number of users behind the value
    seed_sd: np.ndarray | None = None  # float64 [systems]


@dataclass(frozen=True)
class SliceMetrics:
    """Cells of a protocol, and the number of lists of the slices that have too few to be reported."""

    cells: list[MetricSums]
    left_out: dict[str, int]


def split_metric_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split validated metric names into ranking metrics and intensity metrics."""
    intensity = [name for name in names if name in intensity_errors.INTENSITY_METRICS]
    return [name for name in names if name not in intensity], intensity


def list_metric_sums(
    protocol: str, systems: Sequence[SystemLists], n_users: int, slices: Sequence[Slice] = ()
) -> SliceMetrics:
    """Return the cells of metrics that are means over lists: all lists, and slices by users or by relevant items.

    A slice that contains all lists adds nothing and is left out.

    Args:
        systems: the lists of each system, for the same requests.
    """
    names = systems[0].names
    n_lists = np.bincount(systems[0].user, minlength=n_users)
    overall = _cells(protocol, ALL, systems, names, [None] * len(systems), n_users)
    cells, left_out = list(overall), {}
    relevant_slices = [part.name for part in slices if part.by == "relevant"]
    for part in slices:
        if part.has_other_lists:
            continue
        if part.by == "users":
            count = int(n_lists[part.members].sum())
        else:
            count = int(systems[0].holds[:, relevant_slices.index(part.name)].sum())
        if count == int(n_lists.sum()):
            continue
        if count < MIN_LISTS:
            left_out[part.name] = count
        elif part.by == "users":
            cells += [sum_by_user(cell, part, systems) for cell in overall]
        else:
            members = [system.holds[:, relevant_slices.index(part.name)] for system in systems]
            cells += _cells(protocol, part.name, systems, names, members, n_users)
    return SliceMetrics(cells, left_out)


def candidate_slice_sums(protocol: str, name: str, systems: Sequence[SystemLists], n_users: int) -> SliceMetrics:
    """Return the cells of lists of which only the candidates of a slice are left."""
    count = max(len(system.user) for system in systems)
    if count < MIN_LISTS:
        return SliceMetrics([], {name: count} if count else {})
    return SliceMetrics(_cells(protocol, name, systems, systems[0].names, [None] * len(systems), n_users), {})


def intensity_metric_sums(
    names: Sequence[str], systems: Sequence[PredictedRows], slices: Sequence[Slice]
) -> tuple[SliceMetrics, list[PooledMetric]]:
    """Return the cells of intensity metrics over all rows and slices by users, and Spearman's ρ over all rows."""
    counts = np.stack([system.counts for system in systems], axis=1)
    undefined = np.stack([system.undefined for system in systems], axis=1)
    users_with_rows = np.flatnonzero(((counts + undefined) > 0).any(axis=1))
    all_users = Slice(ALL, "users", np.ones(len(counts), dtype=bool))
    cells, left_out = [], {}
    for part in (all_users, *(part for part in slices if part.by == "users")):
        user = users_with_rows[part.members[users_with_rows]]
        if part is not all_users and (len(user) == len(users_with_rows) or len(user) < MIN_LISTS):
            left_out.update({part.name: len(user)} if len(user) < MIN_LISTS else {})
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
            cells.append(MetricSums(INTENSITY, part.name, name, user, sums, counts[user], dropped, transform))
    pooled = []
    if intensity_errors.SPEARMAN in names:
        value = np.array([np.nan if system.spearman is None else system.spearman for system in systems])
        n = counts.sum(axis=0).astype(np.int64)
        pooled.append(
            PooledMetric(
                INTENSITY, ALL, intensity_errors.SPEARMAN, value, n, undefined.sum(axis=0), len(users_with_rows)
            )
        )
    return SliceMetrics(cells, left_out), pooled


def sum_by_user(cell: MetricSums, part: Slice, systems: Sequence[SystemLists]) -> MetricSums:
    """Restrict a cell to the users of a slice."""
    is_member = part.members[cell.user]
    position = systems[0].names.index(cell.metric)
    dropped = [int(np.isnan(system.values[position, part.members[system.user]]).sum()) for system in systems]
    return replace(
        cell,
        slice=part.name,
        user=cell.user[is_member],
        sums=cell.sums[is_member],
        counts=cell.counts[is_member],
        dropped=np.array(dropped),
    )


def slices_by_family(slices: Sequence[Slice]) -> Mapping[str, list[str]]:
    """Return the names of the slices that are compared with each other, by family."""
    families: dict[str, list[str]] = {}
    for part in slices:
        if part.family is not None:
            families.setdefault(part.family, []).append(part.name)
    return families


def _cells(
    protocol: str,
    name: str,
    systems: Sequence[SystemLists],
    metrics: Sequence[str],
    members: Sequence[np.ndarray | None],
    n_users: int,
) -> list[MetricSums]:
    """Return one cell per metric.

    Args:
        members: per system the lists that count, bool [lists]; None for all.
    """
    users = [s.user if c is None else s.user[c] for s, c in zip(systems, members, strict=True)]
    has_list = np.zeros(n_users, dtype=bool)
    for user in users:
        has_list[user] = True
    cells = []
    for position, metric in enumerate(metrics):
        columns = []
        for system, member, user in zip(systems, members, users, strict=True):
            value = system.values[position] if member is None else system.values[position, member]
            defined = ~np.isnan(value)
            sums = np.bincount(user[defined], value[defined], minlength=n_users)
            counts = np.bincount(user[defined], minlength=n_users).astype(np.float64)
            columns.append((sums[has_list], counts[has_list], (~defined).sum()))
        sums, counts, dropped = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
        cells.append(
            MetricSums(protocol, name, metric, np.flatnonzero(has_list), sums[..., None, None], counts, dropped)
        )
    return cells
