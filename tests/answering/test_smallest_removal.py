"""The smallest removal against all subsets."""

from itertools import combinations

import numpy as np
import pytest

from interestrec.answering.smallest_removal import Judge, smallest_removal


def table_of(rng: np.random.Generator, n: int, monotone: bool) -> np.ndarray:
    """bool [2^n]: whether the item stays without a set of events, its bits; it stays without none."""
    subsets = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    stays = subsets @ rng.random(n) < rng.uniform(0.3, 0.9) * n / 2 if monotone else rng.random(1 << n) < 0.97
    stays[0] = True
    return stays


def judge(table: np.ndarray, asked: list[int]) -> Judge:
    def stays(sets: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(sets))
        stays = np.array([table[int((1 << events).sum())] for events in sets])
        return stays, np.array([float(stay) - len(events) for stay, events in zip(stays, sets, strict=True)])

    return stays


def brute_force(table: np.ndarray, n: int) -> int | None:
    sets = (events for size in range(1, n + 1) for events in combinations(range(n), size))
    return next((len(events) for events in sets if not table[sum(1 << event for event in events)]), None)


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_the_exhaustive_search_finds_a_smallest_set(seed: int, monotone: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    table = table_of(rng, n, monotone)
    found = smallest_removal(rng.normal(size=n), judge(table, []), 1 << n)
    least = brute_force(table, n)
    assert found.proved
    assert (None if found.events is None else len(found.events)) == least
    assert found.events is None or not table[int((1 << found.events).sum())]
    assert found.kept_without_history == table[-1]


@pytest.mark.parametrize("seed", range(20))
def test_beyond_the_bound_the_set_is_verified_and_proved_only_where_it_is_smallest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 9))
    table = table_of(rng, n, monotone=True)
    found = smallest_removal(rng.normal(size=n), judge(table, []), n)  # singles alone
    least = brute_force(table, n)
    if found.events is None:
        assert table[-1]  # of a monotone table, all events take it away or none do
        return
    assert not table[int((1 << found.events).sum())]
    assert all(table[int((1 << np.delete(found.events, p)).sum())] for p in range(len(found.events)))  # none to spare
    if found.proved:
        assert len(found.events) == least


def test_one_event_that_decides_is_found_with_one_look(rng_effect: float = 2.0) -> None:
    asked: list[int] = []
    table = np.array([True, False, True, False])  # event 0 alone takes the item away
    found = smallest_removal(np.array([rng_effect, 0.1]), judge(table, asked), 100)
    assert found.events is not None
    assert found.events.tolist() == [0]
    assert asked == [1, 2]  # the empty history, then both events together


def test_an_item_that_stays_without_any_history_may_leave_without_one_event() -> None:
    table = np.array([True, True, False, True])
    found = smallest_removal(np.array([1.0, -1.0]), judge(table, []), 100)
    assert found.kept_without_history
    assert found.events is not None
    assert found.events.tolist() == [1]
