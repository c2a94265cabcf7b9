"""Batches: histories, candidates, shared negatives and moments, by hand and in general."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.moments import ITEM_FEATURES
from interestrec.corpus.store import NO_TIME
from interestrec.training import batches as module
from interestrec.training.batches import Batch, accidental_hits
from interestrec.training.examples import Examples
from interestrec.training.negative_source import SharedNegatives
from interestrec.training.padded_histories import histories
from tests.training.requests import builder, requests, timeline

DAY = 86_400_000_000
NOW = 1_700_000_000_000_000
ITEMS = 30
TIMELINES = timeline([10, 11, 12, 13, 14], [1, 0.5, 1, 1, 0.25], NOW + np.arange(5) * DAY)
NEGATIVES = np.array([10, 13, 14, 20, 21, 23], np.int32)
RATES = -np.arange(1.0, 7.0).astype(np.float32)


class Given:
    """Always the same negatives."""

    begin_epoch = None

    def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
        return SharedNegatives(NEGATIVES, RATES)


def examples(**changes: Any) -> Examples:
    """An impression of three candidates after two events, and two events, 14 and 12, after four, of which 12 is one."""
    given: dict[str, Any] = {
        "end": [2, 4],
        "label": np.array([0, 1, 0, 0.25, 1], np.float32),
        "sampled": [False, True],
        "row": [7, 3],
        "time": [NOW + 2 * DAY, NOW + 6 * DAY],
    }
    return requests([20, 21, 22], [14, 12], **{**given, **changes})


def batch(chosen: Examples | None = None, **of_builder: Any) -> Batch:
    made = builder(TIMELINES, ITEMS, **of_builder)
    return made.build(examples() if chosen is None else chosen, Given(), np.random.default_rng(0))


def test_histories_are_the_most_recent_events_oldest_first() -> None:
    items, intensity = histories(np.array([0, 3, 1]), np.array([4, 3, 2]), TIMELINES, max_history=3)
    np.testing.assert_array_equal(items, [[11, 12, 13], [0, 0, 0], [11, 0, 0]])
    np.testing.assert_array_equal(intensity, np.array([[0.5, 1, 1], [0, 0, 0], [0.5, 0, 0]], np.float32))


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(0, 5)), min_size=1, max_size=5),
    st.integers(1, 7),
)
def test_an_omitted_event_gives_its_place_to_the_one_before(ranges: list[tuple[int, int, int]], longest: int) -> None:
    timelines = timeline(np.arange(100, 112))
    start = np.array([begin for begin, _, _ in ranges])
    end = start + [length for _, length, _ in ranges]
    omitted = start + [place % length for _, length, place in ranges]
    items, intensity = histories(start, end, timelines, longest, omitted)
    for row in range(len(ranges)):
        expected = [100 + n for n in range(start[row], end[row]) if n != omitted[row]][-longest:]
        assert items[row][intensity[row] > 0].tolist() == expected
        assert (intensity[row, : len(expected)] > 0).all()  # padding stands at the end


def test_an_example_s_own_event_is_no_part_of_its_history() -> None:
    around = examples(end=[2, 5], omitted=[-1, 4], time=[NO_TIME, NO_TIME])  # 14 is the event at row 4
    found = batch(around)
    np.testing.assert_array_equal(found.distinct[found.history][1, :4], [10, 11, 12, 13])
    np.testing.assert_array_equal(found.intensity[:, 4:], np.zeros((2, found.intensity.shape[1] - 4)))
    np.testing.assert_array_equal(found.present[1, :3], [True, False, False])  # 12 was read besides


def test_a_batch_by_hand() -> None:
    found = batch()
    np.testing.assert_array_equal(found.distinct[found.history], [[10, 11, 0, 0], [10, 11, 12, 13]])
    np.testing.assert_array_equal(found.intensity, np.array([[1, 0.5, 0, 0], [1, 0.5, 1, 1]], np.float32))
    np.testing.assert_allclose(found.days, np.log1p([[2, 1, 0, 0], [6, 5, 4, 3]]), rtol=1e-6)
    np.testing.assert_array_equal(found.distinct[found.candidates], [[20, 21, 22], [14, 12, 0]])
    np.testing.assert_array_equal(found.distinct[found.shared], NEGATIVES)
    np.testing.assert_array_equal(found.labels[:, :3], np.array([[0, 1, 0], [0.25, 1, 0]], np.float32))
    np.testing.assert_array_equal(found.labels[:, 3:], np.zeros((2, 6)))
    np.testing.assert_array_equal(found.known, [[True] * 3 + [False] * 6, [True, True] + [False] * 7])
    np.testing.assert_array_equal(found.log_rate, [[0, 0, 0, *RATES]] * 2)
    np.testing.assert_array_equal(found.row, [7, 3])
    assert {found.history.dtype, found.candidates.dtype, found.shared.dtype} == {np.dtype(np.int32)}


def test_what_a_list_would_leave_out_is_not_present_but_known() -> None:
    found = batch()
    # 12 was read: a list without repeats never holds it, but its intensity is learned.
    np.testing.assert_array_equal(found.present[1, :3], [True, False, False])
    np.testing.assert_array_equal(found.known[1, :3], [True, True, False])
    # Of the negatives 10 and 13 were read and 14 is the example's own.
    np.testing.assert_array_equal(found.present[1, 3:], [False, False, False, True, True, True])
    # The impression has shown what was ignored and needs no negatives.
    np.testing.assert_array_equal(found.present[0], [True] * 3 + [False] * 6)


def test_positions_are_read_if_the_log_has_them() -> None:
    shown = examples(position=np.array([1, 2, 3, 0, 0], np.int32))
    made = replace(builder(TIMELINES, ITEMS), positions=True)
    found = made.build(shown, Given(), np.random.default_rng(0))
    np.testing.assert_array_equal(found.position, [[1, 2, 3], [0, 0, 0]])
    np.testing.assert_array_equal(batch(shown).position, np.zeros((2, 3)))


def test_an_event_that_is_not_relevant_is_not_present_but_known() -> None:
    found = batch(repeats=True, relevant_from=0.5)
    np.testing.assert_array_equal(found.present[1], [False, True, False, True, True, False, True, True, True])
    np.testing.assert_array_equal(found.known[1, :3], [True, True, False])
    np.testing.assert_array_equal(found.labels[1, :2], np.array([0.25, 1], np.float32))
    # What an impression shows stays in its list, whatever its label.
    np.testing.assert_array_equal(found.present[0, :3], [True, True, True])


def test_with_repeats_what_was_read_is_listed_too() -> None:
    found = batch(repeats=True)
    np.testing.assert_array_equal(found.present[1, :3], [True, True, False])
    np.testing.assert_array_equal(found.present[1, 3:], [True, True, False, True, True, True])


def test_what_was_read_too_long_ago_to_be_seen_is_left_out_as_well() -> None:
    found = batch(max_history=1)
    np.testing.assert_array_equal(found.distinct[found.history], [[11], [13]])
    np.testing.assert_array_equal(found.present[1, :2], [True, False])
    np.testing.assert_array_equal(found.present[1, 3:], [False, False, False, True, True, True])


def test_an_impression_may_show_what_was_read() -> None:
    found = batch(examples(item=np.array([10, 21, 22, 14, 12], np.int32)))
    assert found.present[0, :3].all()


@given(st.integers(0, 10**6), st.booleans())
def test_accidental_hits_are_those_of_sets(seed: int, repeats: bool) -> None:
    rng = np.random.default_rng(seed)
    log = timeline(rng.integers(0, 20, 12))
    n = int(rng.integers(1, 5))
    end = rng.integers(0, 13, n)
    chosen = requests(*(rng.integers(0, 20, rng.integers(1, 4)).tolist() for _ in range(n)), end=end)
    negatives = np.unique(rng.integers(0, 20, rng.integers(0, 9))).astype(np.int32)
    found = accidental_hits(negatives, chosen, None if repeats else log)
    for e in range(n):
        own = set(chosen.item[chosen.offsets[e] : chosen.offsets[e + 1]].tolist())
        own |= set() if repeats else set(log.item[: end[e]].tolist())
        assert found[e].tolist() == [item in own for item in negatives.tolist()]


def test_nothing_is_drawn_where_nothing_is_needed() -> None:
    found = batch(examples(sampled=[False, False]))
    assert found.shared.shape == (0,)
    assert found.labels.shape == found.present.shape == found.log_rate.shape == (2, 3)
    assert found.moments.shape == (2, 3, ITEM_FEATURES)


@pytest.mark.parametrize("times", [[NOW + 3 * DAY, NOW + 6 * DAY], [NO_TIME, NOW + 3 * DAY], [NOW + DAY] * 2])
def test_moments_are_those_of_the_items_at_each_request(times: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = examples(time=times)
    ways = []
    for share in (1, ITEMS):  # more negatives than 30 / 1 are never, than 30 / 30 always there
        monkeypatch.setattr(module, "_DENSE_SHARE", share)
        ways.append(batch(chosen))
    moments = builder(TIMELINES, ITEMS).moments
    for found in ways:
        items = np.concatenate([found.distinct[found.candidates], np.tile(NEGATIVES, (2, 1))], axis=1)
        for e, time in enumerate(times):
            at = np.full(items.shape[1], time)
            np.testing.assert_array_equal(found.moments[e], moments.item_features(items[e], at))
        np.testing.assert_array_equal(found.user_moments, moments.user_features(np.zeros(2, np.int32), np.array(times)))
    assert ways[0].moments.any()
    np.testing.assert_array_equal(ways[0].moments, ways[1].moments)


def test_a_request_s_own_event_is_not_yet_counted() -> None:
    own = examples(time=[NO_TIME, NOW + 4 * DAY])  # the time of event 14 itself
    found = batch(own).moments[1]
    assert not found[0].any()  # item 14 had no event before
    assert found[1].any()  # item 12 had


def test_the_same_seed_gives_the_same_batches() -> None:
    class Drawn(Given):
        def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
            items = np.sort(rng.choice(ITEMS, 4, replace=False)).astype(np.int32)
            return SharedNegatives(items, np.zeros(4, np.float32))

    def run(seed: list[int]) -> list[np.ndarray]:
        made = builder(TIMELINES, ITEMS)
        chosen = examples(sampled=[True, True])
        batches = made.iterate(chosen, Drawn(), np.array([1, 0]), np.arange(3), seed)
        return [found.distinct[found.shared] for found in batches]

    assert all(np.array_equal(a, b) for a, b in zip(run([1, 2]), run([1, 2]), strict=True))
    assert not np.array_equal(run([1, 2])[0], run([1, 3])[0])
    assert not np.array_equal(*run([1, 2]))
    assert len(run([1])) == 2


@given(st.integers(1, 6), st.booleans())
def test_distinct_items_are_sorted_and_all_used(max_history: int, repeats: bool) -> None:
    found = batch(max_history=max_history, repeats=repeats)
    assert (np.diff(found.distinct) > 0).all()
    used = np.unique(np.concatenate([found.history.ravel(), found.candidates.ravel(), found.shared]))
    np.testing.assert_array_equal(used, np.arange(len(found.distinct)))
