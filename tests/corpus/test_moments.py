"""Features of a moment: by hand, equal by both ways to them, and without any knowledge of the future."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.counters import WINDOWS, EventCounters
from interestrec.corpus.counts_at_times import CountsAtTimes
from interestrec.corpus.moments import ITEM_FEATURES, USER_FEATURES, Moments
from interestrec.corpus.no_time import NO_TIME
from tests.corpus.test_counts_at_times import DAY, HOUR, START, Log, log, moments

ITEM_NAMES = [*WINDOWS, "trend", "seen", "since_first", "since_published"]
USER_NAMES = [*WINDOWS, "since_last", "active", "sine", "cosine", "timed"]


def made_of(events: Log, published: np.ndarray | None = None) -> Moments:
    """Moments where users and items are the same owners."""
    unknown = np.full(events.owners, NO_TIME)
    counters = EventCounters.of(*events)
    return Moments(counters, CountsAtTimes.of(*events), counters, unknown if published is None else published)


def by_name(names: list[str], features: np.ndarray) -> dict[str, list[float]]:
    assert features.dtype == np.float32
    return {name: column.tolist() for name, column in zip(names, features.T, strict=True)}


NOW = START + 30 * DAY
# Item 0: an hour ago, five days ago and 29 days ago; item 1: right now, which is not before; item 2 at no time.
EVENTS = Log(
    np.array([0, 0, 0, 1, 2], np.int32),
    np.array([NOW - HOUR, NOW - 5 * DAY, NOW - 29 * DAY, NOW, NO_TIME]),
    4,
)
PUBLISHED = np.array([NO_TIME, NOW - 9 * DAY, NOW + 1, NOW])


def test_items_by_hand() -> None:
    made = made_of(EVENTS, PUBLISHED)
    found = by_name(ITEM_NAMES, made.item_features(np.arange(4), np.full(4, NOW)))
    counts = {"1h": 1, "1d": 1, "7d": 2, "30d": 3, "all": 3}
    for name, count in counts.items():
        assert found[name] == pytest.approx([np.log1p(count), 0, 0, 0])
    assert found["trend"] == pytest.approx([np.log(3 / (1 + 3 * 7 / 30)), 0, 0, 0])
    assert found["seen"] == [1, 0, 0, 0]
    assert found["since_first"] == pytest.approx([np.log(30), 0, 0, 0])
    assert found["since_published"] == pytest.approx([0, np.log(10), 0, 0])


def test_users_by_hand() -> None:
    noon = NOW - NOW % DAY + 6 * HOUR
    events = EVENTS._replace(time=np.where(EVENTS.time == NO_TIME, NO_TIME, EVENTS.time - NOW + noon))
    found = by_name(USER_NAMES, made_of(events).user_features(np.array([0, 1, 3]), np.full(3, noon)))
    assert found["all"] == pytest.approx([np.log(4), 0, 0])
    assert found["since_last"] == pytest.approx([np.log1p(1 / 24), 0, 0], rel=1e-5)
    assert found["active"] == [1, 0, 0]
    assert found["sine"] == pytest.approx([1] * 3)  # a quarter of the day
    assert found["cosine"] == pytest.approx([0] * 3, abs=1e-6)
    assert found["timed"] == [1] * 3


def test_without_a_time_nothing_is_known() -> None:
    made, never = made_of(EVENTS, PUBLISHED), np.full(4, NO_TIME)
    for names, found in (
        (ITEM_NAMES, made.item_features(np.arange(4), never)),
        (ITEM_NAMES, made.catalogue_features(NO_TIME)),
        (USER_NAMES, made.user_features(np.arange(4), never)),
    ):
        assert found.shape[1] == len(names)
        assert not found.any()


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 300]))
def test_a_catalogue_at_one_time_is_its_items_at_that_time(seed: int, events: int) -> None:
    made = log(seed, events)
    published = np.random.default_rng(seed).choice([NO_TIME, START, START + 60 * DAY], made.owners)
    both, items = made_of(made, published), np.arange(made.owners)
    for time in moments(made, seed):
        single = both.item_features(items, np.full(len(items), time))
        assert single.shape == (len(items), ITEM_FEATURES)
        assert np.isfinite(single).all()
        np.testing.assert_array_equal(both.catalogue_features(time), single, err_msg=str(time))


@given(st.integers(0, 10**6))
def test_events_at_the_time_or_later_change_nothing(seed: int) -> None:
    made = log(seed)
    rng, owners = np.random.default_rng(seed), np.arange(made.owners)
    published = rng.choice([NO_TIME, START, START + 60 * DAY], len(owners))
    for time in moments(made, seed)[1:]:
        known = (made.time < time) & (made.time != NO_TIME)
        others = rng.integers(0, len(owners), 20).astype(np.int32)
        after = np.append(made.time[known], time + rng.integers(0, 3, 20) * HOUR)
        changed = Log(np.append(made.owner[known], others), after, made.owners)
        # What is published later is not known to be published.
        later = np.where(published > time, time + 1 + rng.integers(0, DAY, len(owners)), published)
        at, before, now = np.full(len(owners), time), made_of(made, published), made_of(changed, later)
        np.testing.assert_array_equal(now.item_features(owners, at), before.item_features(owners, at))
        np.testing.assert_array_equal(now.catalogue_features(time), before.catalogue_features(time))
        np.testing.assert_array_equal(now.user_features(owners, at), before.user_features(owners, at))
        assert now.user_features(owners, at).shape == (len(owners), USER_FEATURES)
