"""Suppression of figures of small groups, also of differences between two larger ones (k-anonymity; Sweeney 2002)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.slices import ALL, COLD_USERS, WARM, Slice

UserCounts = dict[str, np.ndarray]  # by slice, the number of lists or rows of each user behind a figure, [users]


def suppress_small_groups(
    result: ProtocolResult, slices: Sequence[Slice], n_users: int, min_users: int
) -> ProtocolResult:
    """Remove the cells that disclose figures of fewer than `min_users` users.

    At least `min_users` users are then behind every figure, behind the difference of a slice and a larger slice that
    contains it, and behind the remainder of a family of slices. The names of slices with too few lists are removed,
    too. A cell is removed for all systems of its metric and slice, so that all shown systems can be compared.
    """
    if min_users <= 1:
        return result
    families = _families(slices)
    candidate_slices = {part.name for part in slices if part.has_other_lists}
    groups: dict[tuple[str, str], list[MetricSums]] = {}
    for cell in result.cells:
        groups.setdefault((cell.protocol, cell.metric), []).append(cell)
    suppressed_by_counts: dict[bytes, set[str]] = {}
    suppressed: set[tuple[str, str, str]] = set()
    for (protocol, metric), cells in groups.items():
        for counts in _counts_by_system(cells, n_users):
            key = b"".join(name.encode() + values.tobytes() for name, values in sorted(counts.items()))
            if key not in suppressed_by_counts:
                suppressed_by_counts[key] = suppressed_slices(counts, families, candidate_slices, min_users)
            suppressed |= {(protocol, name, metric) for name in suppressed_by_counts[key]}
    cells_kept = [cell for cell in result.cells if (cell.protocol, cell.slice, cell.metric) not in suppressed]
    pooled = [single for single in result.pooled if single.users >= min_users]
    rows = sum(len(cell.value) for cell in result.cells) - sum(len(cell.value) for cell in cells_kept)
    rows += sum(len(single.value) for single in result.pooled) - sum(len(single.value) for single in pooled)
    return replace(result, cells=cells_kept, pooled=pooled, left_out={}, suppressed=rows)


def suppressed_slices(
    counts: UserCounts, families: Sequence[Sequence[str]], candidate_slices: set[str], min_users: int
) -> set[str]:
    """Return the names of the slices of one metric that must be suppressed.

    Args:
        families: slices that have no list or row in common.
        candidate_slices: slices of lists restricted to some candidates; their values are not part of other slices.
    """
    suppressed = {name for name, lists in counts.items() if 0 < (lists > 0).sum() < min_users}
    if ALL in suppressed:
        return set(counts)
    while (smallest := _disclosing_slice(counts, suppressed, families, candidate_slices, min_users)) is not None:
        suppressed.add(smallest)
    return suppressed


def _disclosing_slice(
    counts: UserCounts,
    suppressed: set[str],
    families: Sequence[Sequence[str]],
    candidate_slices: set[str],
    min_users: int,
) -> str | None:
    """Return a slice whose difference from another discloses too few users; None if there is none."""
    shown = {name: lists for name, lists in counts.items() if name not in suppressed | candidate_slices}
    by_size = sorted((name for name in shown if name != ALL), key=lambda name: ((shown[name] > 0).sum(), name))
    for family in families if ALL in shown else ():
        parts = [name for name in by_size if name in family and shown[name].any()]
        if parts and 0 < (shown[ALL] > sum(shown[name] for name in parts)).sum() < min_users:
            return parts[0]
    for position, name in enumerate(by_size):
        for larger in [*by_size[position + 1 :], *([ALL] if ALL in shown else [])]:
            difference = shown[larger] - shown[name]
            if shown[name].any() and (difference >= 0).all() and 0 < (difference > 0).sum() < min_users:
                return name
    return None


def _families(slices: Sequence[Slice]) -> list[list[str]]:
    """Return the families of slices by users."""
    families: dict[str, list[str]] = {}
    for part in slices:
        if part.by == "users":
            families.setdefault("" if part.name in (WARM, COLD_USERS) else str(part.family), []).append(part.name)
    return list(families.values())


def _counts_by_system(cells: Sequence[MetricSums], n_users: int) -> list[UserCounts]:
    """Return the counts behind one metric's cells: once for users with any list or row, then for each system."""
    systems = cells[0].counts.shape[1]
    counts_by_system = []
    for column in range(-1, systems):
        counts = {}
        for cell in cells:
            counts[cell.slice] = np.zeros(n_users)
            counts[cell.slice][cell.user] = 1 if column < 0 else cell.counts[:, column]
        counts_by_system.append(counts)
    return counts_by_system
