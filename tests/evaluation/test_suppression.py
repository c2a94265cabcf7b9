"""No figure of the report is of fewer users than asked, nor is what two figures leave between them."""

from itertools import combinations

import numpy as np
import pytest

from interestrec.core.small_groups import distinct_users, is_disclosable
from interestrec.evaluation import statistics
from interestrec.evaluation.leak_audit import AuditCheck
from interestrec.evaluation.metric_sums import MetricSums, PooledMetric, slices_by_family
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.resampling import resampled_values
from interestrec.evaluation.slices import ALL, COLD_ITEMS, Slice
from interestrec.evaluation.suppression import suppress_small_groups

SYSTEMS = ["interestrec", "popularity"]


def frame(rng: np.random.Generator) -> tuple[ProtocolResult, list[Slice], int, int]:
    """Random lists of random users, by slices as a report has them; the least users that are asked for."""
    n_users, least = int(rng.integers(1, 40)), int(rng.integers(2, 9))
    warm = rng.random(n_users) < rng.random()
    quarter, town = rng.integers(0, 4, n_users), rng.integers(-1, 3, n_users)
    slices = [Slice("warm_users", "users", warm), Slice("cold_users", "users", ~warm)]
    slices += [Slice(f"activity_{n}", "users", quarter == n, "activity") for n in range(4)]
    slices += [Slice(f"town={n}", "users", town == n, "town") for n in range(3)]
    lists = rng.integers(0, 4, n_users)
    cells = []
    for metric in ("auc", "ndcg@10"):
        counts = np.minimum(rng.integers(0, 4, (n_users, 1)), lists[:, None]) * np.ones((1, 2))
        if rng.random() < 0.3:
            counts = np.minimum(counts, rng.integers(0, 4, (n_users, 2)))
        for name, members in [(ALL, np.ones(n_users, bool)), *((one.name, one.members) for one in slices)]:
            cells.append(cell(metric, name, counts * members[:, None], lists * members, rng))
        part = np.minimum(counts, rng.integers(0, 4, (n_users, 1)))
        cells += [cell(metric, name, part, lists, rng) for name in ("category=news", COLD_ITEMS)]
    everyone = PooledMetric(
        "catalogue", ALL, "gini", np.array([0.1, 0.2]), lists[:2] * 0 + 5, np.array([0, 0]), n_users
    )
    made = [*slices, Slice("category=news", "relevant", warm), Slice(COLD_ITEMS, "candidates", warm)]
    return ProtocolResult(cells, [everyone], {"catalogue": {"tiny": 3}}), made, n_users, least


def cell(metric: str, name: str, counts: np.ndarray, lists: np.ndarray, rng: np.random.Generator) -> MetricSums:
    user = np.flatnonzero(lists)
    sums = rng.random((len(user), 2, 1, 1)) * counts[user][..., None, None]
    return MetricSums("catalogue", name, metric, user, sums, counts[user], np.array([1, 1]))


def users(cell: MetricSums, column: int) -> set[tuple[int, int]]:
    """A list is (user, number among the user's)."""
    return {(u, n) for u, c in zip(cell.user, cell.counts[:, column], strict=True) for n in range(int(c))}


def of(lists: set[tuple[int, int]]) -> int:
    return len({user for user, _ in lists})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_frames_tell_of_no_group_that_is_too_small(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hidden = 0
    for number in range(100):
        measured, slices, n_users, least = frame(rng)
        kept = suppress_small_groups(measured, slices, n_users, least)
        hidden += kept.suppressed
        assert kept.left_out == {}
        assert all(single.users >= least for single in kept.pooled)
        for metric in ("auc", "ndcg@10"):
            found = {one.slice: one for one in kept.cells if one.metric == metric}
            for one in found.values():
                assert len(one.user) == 0 or len(one.user) >= least
            for column in range(2):
                no_small_group({name: users(one, column) for name, one in found.items()}, least)
        if number % 5:
            continue  # the tables are made of these cells alone, and slowly
        drawn = resampled_values(kept.cells, n_users, 2, 1)
        rows = statistics.metrics_rows(kept.cells, drawn, kept.pooled, SYSTEMS)
        told_of = {(row["slice"], row["metric"]) for row in rows}
        assert told_of <= {(one.slice, one.metric) for one in [*kept.cells, *kept.pooled]}
        compared = statistics.comparison_rows(kept.cells, SYSTEMS, "interestrec", n_users, 2, 1)
        gaps = statistics.gap_rows(kept.cells, drawn, slices_by_family(slices), SYSTEMS, "interestrec")
        assert {(row["slice"], row["metric"]) for row in compared} <= told_of
        assert {(row[end], row["metric"]) for row in gaps for end in ("best", "worst")} <= told_of
        if n_users < least:
            assert all(row["n"] == 0 for row in rows)
    assert hidden


def no_small_group(found: dict[str, set[tuple[int, int]]], least: int) -> None:
    for lists in found.values():
        assert of(lists) == 0 or of(lists) >= least
    whole = found.pop(ALL, None)
    found.pop(COLD_ITEMS, None)
    pairs = [*combinations(found.values(), 2), *((lists, whole) for lists in found.values() if whole is not None)]
    for one, other in pairs:
        small, large = sorted((one, other), key=len)
        if small and small <= large:
            assert not 0 < of(large - small) < least
    for family in ("warm_users cold_users", "activity_1 activity_2 activity_3 activity_0", "town=0 town=1 town=2"):
        parts = [found[name] for name in family.split() if found.get(name)]
        if whole is not None and parts:
            assert not 0 < of(whole - set().union(*parts)) < least


def test_nothing_is_withheld_where_all_groups_are_large_or_nothing_is_asked() -> None:
    counts = np.ones((40, 2))
    half = np.arange(40) < 20
    slices = [Slice("warm_users", "users", half), Slice("cold_users", "users", ~half)]
    rng = np.random.default_rng(1)
    cells = [
        cell("auc", name, counts * members[:, None], members * 1, rng)
        for name, members in [(ALL, half | True), ("warm_users", half), ("cold_users", ~half)]
    ]
    measured = ProtocolResult(cells, [], {"catalogue": {"tiny": 3}})
    assert suppress_small_groups(measured, slices, 40, 20).cells == cells
    assert [one.slice for one in suppress_small_groups(measured, slices, 40, 21).cells] == [ALL]
    assert suppress_small_groups(measured, slices, 40, 41).cells == []
    assert suppress_small_groups(measured, slices, 40, 1) is measured


def test_the_smallest_large_part_goes_with_a_small_one() -> None:
    np.testing.assert_array_equal(is_disclosable(np.array([2, 9, 0, 6, 7]), 5), [False, True, True, False, True])
    np.testing.assert_array_equal(is_disclosable(np.array([5, 9]), 5), [True, True])
    np.testing.assert_array_equal(is_disclosable(np.array([1, 2]), 5), [False, False])
    np.testing.assert_array_equal(is_disclosable(np.array([1, 2]), 1), [True, True])


def test_users_of_several_rows_count_once_a_part() -> None:
    found = distinct_users(np.array([0, 0, 1, -1, 1]), np.array([4, 4, 4, 7, 5]), 3)
    np.testing.assert_array_equal(found, [1, 2, 0])


def test_a_check_of_few_keeps_its_verdict_alone() -> None:
    check = AuditCheck("late", 3, 100, "look", "bad", (2, 50))
    assert check.without_small_counts(2) == check
    hidden = check.without_small_counts(3)
    assert (hidden.count, hidden.total, hidden.share, hidden.verdict) == (None, None, None, "look")
    assert AuditCheck("late", 97, 100, "", "", (50, 2)).without_small_counts(3).count is None
    assert AuditCheck("late", 0, 100, "ok", "", (0, 50)).without_small_counts(3).count == 0
