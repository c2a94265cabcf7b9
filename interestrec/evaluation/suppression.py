"""A report without figures of small groups (k-anonymity; Sweeney 2002), nor of what is left between two larger ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.slices import ALL, COLD_USERS, WARM, Slice

Behind = dict[str, np.ndarray]  # lists or rows of each user behind a figure, [users], by slice


def without_small_groups(measured: ProtocolResult, slices: Sequence[Slice], n_users: int, least: int) -> ProtocolResult:
    """What may be told: every figure is of at least `least` users, and so is the difference of a slice and another that
    holds it, and what a family of slices leaves of the whole. Slices left out before are not named.

    Cells are taken whole, all systems of a metric and slice, so that what is compared is what is shown.
    """
    if least <= 1:
        return measured
    families = _families(slices)
    cut = {one.name for one in slices if one.by == "candidates"}
    groups: dict[tuple[str, str], list[MetricSums]] = {}
    for cell in measured.cells:
        groups.setdefault((cell.protocol, cell.metric), []).append(cell)
    found: dict[bytes, set[str]] = {}
    gone: set[tuple[str, str, str]] = set()
    for (protocol, metric), cells in groups.items():
        for behind in _columns(cells, n_users):
            key = b"".join(name.encode() + values.tobytes() for name, values in sorted(behind.items()))
            if key not in found:
                found[key] = withheld(behind, families, cut, least)
            gone |= {(protocol, name, metric) for name in found[key]}
    kept = [cell for cell in measured.cells if (cell.protocol, cell.slice, cell.metric) not in gone]
    singles = [single for single in measured.singles if single.users >= least]
    rows = sum(len(cell.value) for cell in measured.cells) - sum(len(cell.value) for cell in kept)
    rows += sum(len(single.value) for single in measured.singles) - sum(len(single.value) for single in singles)
    return replace(measured, cells=kept, singles=singles, left_out={}, suppressed=rows)


def withheld(behind: Behind, families: Sequence[Sequence[str]], cut: set[str], least: int) -> set[str]:
    """Names of the slices of one metric that are not to be told.

    Args:
        families: slices that have no list or row in common.
        cut: slices of lists that are cut to some candidates, whose values are no part of another's.
    """
    gone = {name for name, lists in behind.items() if 0 < (lists > 0).sum() < least}
    if ALL in gone:
        return set(behind)
    while (smallest := _telling(behind, gone, families, cut, least)) is not None:
        gone.add(smallest)
    return gone


def _telling(
    behind: Behind, gone: set[str], families: Sequence[Sequence[str]], cut: set[str], least: int
) -> str | None:
    """A slice that tells of too few by what it leaves of another; None when none does."""
    shown = {name: lists for name, lists in behind.items() if name not in gone | cut}
    by_size = sorted((name for name in shown if name != ALL), key=lambda name: ((shown[name] > 0).sum(), name))
    for family in families if ALL in shown else ():
        here = [name for name in by_size if name in family and shown[name].any()]
        if here and 0 < (shown[ALL] > sum(shown[name] for name in here)).sum() < least:
            return here[0]
    for place, name in enumerate(by_size):
        for other in [*by_size[place + 1 :], *([ALL] if ALL in shown else [])]:
            more = shown[other] - shown[name]
            if shown[name].any() and (more >= 0).all() and 0 < (more > 0).sum() < least:
                return name
    return None


def _families(slices: Sequence[Slice]) -> list[list[str]]:
    """Slices that divide the users, as far as they do."""
    families: dict[str, list[str]] = {}
    for one in slices:
        if one.by == "users":
            families.setdefault("" if one.name in (WARM, COLD_USERS) else str(one.family), []).append(one.name)
    return list(families.values())


def _columns(cells: Sequence[MetricSums], n_users: int) -> list[Behind]:
    """What stands behind one metric's cells: users with a value of each system, and users with any list or row."""
    systems = cells[0].counts.shape[1]
    found = []
    for column in range(-1, systems):
        behind = {}
        for cell in cells:
            behind[cell.slice] = np.zeros(n_users)
            behind[cell.slice][cell.user] = 1 if column < 0 else cell.counts[:, column]
        found.append(behind)
    return found
