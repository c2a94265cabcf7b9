"""Tallies after changes of events, against a count of all events."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME
from interestrec.scorers import shared_users, trending
from interestrec.scorers.definition import EXACTLY, GRADED_EVENTS, StorableScorer, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.registry import SCORERS
from interestrec.scorers.requests import Events
from interestrec.scorers.tally import StorableTally, Tally
from tests.scoring.asking import events, requests

USERS, ITEMS = 24, 12  # before the change
MORE_USERS, MORE_ITEMS = 31, 17
RELEVANT = 0.5
DAY = 86_400_000_000
EXACT = [name for name, entry in SCORERS.items() if entry.follows == EXACTLY]
TIMES = ["all", "none", "some"]
ASKED = requests([0, 3, 3], [], [16], [7, 2], [13, 0], days=[1, 3, 9, 4, 2, 8, 5, 6])


def of(name: str) -> TallyDefinition:
    tally = SCORERS[name].tally
    assert tally is not None
    return tally


def random_events(rng: np.random.Generator, count: int, users: int, items: int, times: str, last_day: int) -> Events:
    """Repeated pairs, weak ones, and items of which few users have most."""
    user = np.sort(rng.integers(0, users, count)).astype(np.int32)
    item = np.minimum(rng.geometric(0.25, count) - 1, items - 1).astype(np.int32)
    time = rng.integers(0, last_day * DAY, count)
    if times != "all":
        time[rng.random(count) < (1.0 if times == "none" else 0.3)] = NO_TIME
    return Events(user, item, rng.choice([0.1, 0.3, 0.5, 1.0], count).astype(np.float32), time, users, items)


def of_users(log: Events, users: np.ndarray) -> Events:
    return replace(log.rows(np.isin(log.user, users)), n_users=MORE_USERS, n_items=MORE_ITEMS)


def joined(*parts: Events) -> Events:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("user", "item", "intensity", "time")
    }
    order = np.argsort(columns["user"], kind="stable")
    return Events(**{name: value[order] for name, value in columns.items()}, n_users=MORE_USERS, n_items=MORE_ITEMS)


def changes(times: str, seed: int) -> Iterator[tuple[Events, Events, Events, Events]]:
    """The log, the events of some users before and after, and the log after: new events, then fewer, then none."""
    rng = np.random.default_rng(seed)
    log = random_events(rng, 150, USERS, ITEMS, times, 400)
    for kind in ("more", "fewer", "gone"):
        users = rng.choice(MORE_USERS if kind == "more" else USERS, 9, replace=False)
        before = of_users(log, users)
        new = of_users(random_events(rng, 60, MORE_USERS, MORE_ITEMS, times, 420), users)
        kept = before.rows(rng.random(len(before.user)) < 0.5)
        after = {"more": joined(before, new), "fewer": kept, "gone": before.rows(np.zeros(len(before.user), bool))}[
            kind
        ]
        changed = joined(of_users(log, np.setdiff1d(np.arange(MORE_USERS), users)), after)
        yield log, before, after, changed
        log = changed


def settings(name: str, seed: int) -> dict[str, Any]:
    """The defaults, or settings of the space; and what `ScorerInputs` provides."""
    entry, rng = SCORERS[name], np.random.default_rng(seed)
    assert entry.settings is not None
    chosen = entry.settings().model_dump()
    if seed:
        chosen |= {key: values[rng.integers(len(values))] for key, values in entry.space.items()}
    if "max_size" in chosen:
        chosen["max_size"] = [8000, 10, 14][seed % 3]
    if "neighbours" in chosen:
        chosen["neighbours"] = 100
    provided = {
        "relevant_from": RELEVANT,
        "text_vectors": np.random.default_rng(5).normal(size=(MORE_ITEMS, 4)).astype(np.float32),
        "item_categories": [None if item % 5 == 0 else f"c{item % 3}" for item in range(MORE_ITEMS)],
    }
    return chosen | {need: provided[need] for need in entry.needs}


def counted(name: str, log: Events, chosen: dict[str, Any]) -> Events:
    weak = chosen.get("weak_evidence", 0.0) if SCORERS[name].fitted_on == GRADED_EVENTS else 0.0
    return EventWeights(RELEVANT, weak).select(log)[0]


def finished(name: str, tally: StorableTally, log: Events, chosen: dict[str, Any]) -> StorableScorer:
    definition = of(name)
    if definition.needs_users(tally, chosen):
        tally = definition.count(counted(name, log, chosen), **{key: chosen[key] for key in definition.counting})
    return definition.finished(definition.prepared(tally, chosen), chosen)  # type: ignore[return-value]


def assert_equal_sums(found: StorableTally, expected: StorableTally) -> None:
    if not isinstance(found, Tally) or not isinstance(expected, Tally):
        one, other = found.arrays(), expected.arrays()
        assert {key: array.tolist() for key, array in one.items()} == {k: array.tolist() for k, array in other.items()}
        return
    assert (found.users, found.n_items, found.timed, found.untimed) == (
        expected.users,
        expected.n_items,
        expected.timed,
        expected.untimed,
    )
    assert found.sums.keys() == expected.sums.keys()
    for name in found.sums:
        one, other = found.cells(name), expected.cells(name)
        np.testing.assert_array_equal(one.cell, other.cell)
        np.testing.assert_array_equal(one.count, other.count)
        np.testing.assert_allclose(one.value, other.value, rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("name", EXACT)
def test_an_updated_scorer_is_the_one_fitted_again(name: str, times: str, seed: int) -> None:
    chosen = settings(name, seed)
    count = partial(of(name).count, **{key: chosen[key] for key in of(name).counting})
    tally: StorableTally | None = None
    for log, before, after, changed in changes(times, seed):
        before, after, whole = (counted(name, part, chosen) for part in (before, after, changed))
        tally = count(counted(name, log, chosen)).stored() if tally is None else tally
        tally = of(name).kind.from_arrays(tally.updated(before, after, lambda whole=whole: whole, count).arrays())
        assert_equal_sums(tally, count(whole).stored())
        found = finished(name, tally, changed, chosen)
        again = SCORERS[name].fit(whole, **chosen)
        assert found.arrays().keys() == again.arrays().keys()  # type: ignore[attr-defined]
        expected = again.score_catalogue(ASKED)
        np.testing.assert_allclose(
            found.score_catalogue(ASKED), expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()
        )


@pytest.mark.parametrize("name", EXACT)
def test_an_update_back_leaves_no_trace(name: str) -> None:
    for seed in range(4):
        chosen = settings(name, seed)
        count = partial(of(name).count, **{key: chosen[key] for key in of(name).counting})
        log, before, after, changed = (counted(name, part, chosen) for part in next(changes("all", seed)))
        original = count(replace(log, n_items=MORE_ITEMS)).stored()
        there = original.updated(before, after, lambda changed=changed: changed, count)
        back = there.updated(after, before, lambda log=log: log, count)
        assert_equal_sums(back, original)


def unread() -> Events:
    raise AssertionError("the log was read")


NOBODY = events([(0, 0)], 9, 9, days=[0]).rows(np.zeros(1, bool))


@pytest.mark.parametrize("name", EXACT)
def test_new_events_are_followed_without_reading_the_others(name: str) -> None:
    chosen = settings(name, 0)
    count = partial(of(name).count, **{key: chosen[key] for key in of(name).counting})
    log, before, after, _ = (counted(name, part, chosen) for part in next(changes("all", 1)))
    seen: list[int] = []

    def watched(part: Events, **latest: int) -> StorableTally:
        seen.append(len(part.user))
        return count(part, **latest)

    count(log).stored().updated(before, after, unread, watched)
    assert seen in ([len(before.user), len(after.user)], [len(after.user)])


def test_what_a_recent_user_hid_is_found_again() -> None:
    """2⁻⁶⁰ is below the rounding of 1, so that the difference of the sums is only noise."""
    log = events([(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)], 3, 3, days=[0, 0, 60, 60, 60])
    gone, rest = log.rows(log.user == 1), log.rows(log.user != 1)
    for count, name in (
        (partial(shared_users.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0), "shared"),
        (partial(trending.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0), "trend"),
    ):
        left = count(log).stored().updated(gone, gone.rows(gone.user < 0), lambda: rest, count)
        assert_equal_sums(left, count(rest).stored())
        power = left.sums[name].power
        assert left.cells(name).value.min() == 2.0 ** (-60 * power)


@pytest.mark.parametrize("day", [1, 300, 5000])
def test_the_clock_moves_back_when_the_latest_event_leaves(day: int) -> None:
    log = events([(0, 0), (0, 1), (1, 0), (1, 1)], 2, 2, days=[0, 0, day, day])
    gone, rest = log.rows(log.user == 1), log.rows(log.user == 0)
    count = partial(shared_users.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0)
    left = count(log).stored().updated(gone, gone.rows(gone.user < 0), lambda: rest, count)
    assert left.latest == 0
    assert left.cells("shared").value.tolist() == [1.0]


def test_sums_that_were_too_small_to_be_numbers_are_found_again() -> None:
    log = events([(0, 0), (0, 1), (2, 2), (1, 3)], 3, 4, days=[0, 0, 500, 650])
    gone, rest = log.rows(log.user == 1), log.rows(log.user != 1)
    count = partial(shared_users.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0)
    left = count(log).stored().updated(gone, gone.rows(gone.user < 0), lambda: rest, count)
    assert left.cells("shared").value.tolist() == [2.0**-1000]


def test_a_log_that_comes_to_mix_times_is_counted_again() -> None:
    old, new = events([(0, 0)], 2, 1, days=[None]), events([(1, 0)], 2, 1, days=[3])
    both = replace(
        old,
        user=np.array([0, 1], np.int32),
        **{name: np.append(getattr(old, name), getattr(new, name)) for name in ("item", "intensity", "time")},
    )
    count = partial(shared_users.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0)
    assert_equal_sums(count(old).stored().updated(NOBODY, new, lambda: both, count), count(both).stored())


def test_a_log_that_no_longer_mixes_times_is_counted_again() -> None:
    pairs = [(0, 0), (1, 0), (2, 1)]
    log, new = events(pairs, 4, 2, days=[3, None, None]), events([(3, 1)], 4, 2, days=[9])
    gone, rest = (
        log.rows(log.user > 0),
        replace(
            log.rows(log.user == 0),
            user=np.array([0, 3], np.int32),
            **{name: np.append(getattr(log, name)[:1], getattr(new, name)) for name in ("item", "intensity", "time")},
        ),
    )
    count = partial(shared_users.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0)
    assert_equal_sums(count(log).stored().updated(gone, new, lambda: rest, count), count(rest).stored())


def test_what_was_never_counted_cannot_be_taken_out() -> None:
    log, other = events([(0, 0)], 2, 2, days=[1]), events([(1, 1)], 2, 2)
    count = partial(trending.count, relevant_from=0.5, half_life=1.0, weak_evidence=0.0)
    with pytest.raises(ValueError, match="never counted"):
        count(log).stored().updated(other, NOBODY, unread, count)


@pytest.mark.parametrize("name", EXACT)
def test_without_events_an_updated_scorer_knows_nothing(name: str) -> None:
    chosen = settings(name, 1)
    count = partial(of(name).count, **{key: chosen[key] for key in of(name).counting})
    log = counted(name, next(changes("all", 1))[3], chosen)
    nothing = log.rows(np.zeros(len(log.user), dtype=bool))
    left = count(log).stored().updated(log, nothing, lambda: nothing, count)
    found, expected = finished(name, left, nothing, chosen), SCORERS[name].fit(nothing, **chosen)
    np.testing.assert_array_equal(found.score_catalogue(ASKED), expected.score_catalogue(ASKED))
    assert_equal_sums(left, count(nothing).stored())


def test_the_last_events_leave_nothing() -> None:
    log = events([(0, 0), (0, 1)], 1, 2)
    count = partial(shared_users.count, relevant_from=0.5, half_life=None, weak_evidence=0.0)
    left = count(log).stored().updated(log, log.rows(log.user < 0), unread, count)
    assert left.users == left.timed == len(left.cells("shared").cell) == len(left.cells("length").cell) == 0


@pytest.mark.parametrize("name", EXACT)
def test_the_steps_take_what_the_fit_takes(name: str) -> None:
    entry = SCORERS[name]
    keys = {*entry.needs, *(entry.settings.model_fields if entry.settings else ())}
    assert {*of(name).counting, *of(name).preparing, *of(name).finishing} == keys
