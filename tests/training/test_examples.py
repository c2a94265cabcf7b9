"""Which rows of a corpus become training examples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.corpus.store import NO_TIME, Impressions, Timelines
from interestrec.io import spilled_arrays
from interestrec.training import impression_examples as blocks
from interestrec.training.examples import history_examples, select_contrasting, without_order
from interestrec.training.impression_examples import impression_examples

TIMELINES = Timelines(
    offsets=np.array([0, 6]),
    user=np.zeros(6, np.int32),
    item=np.arange(6, dtype=np.int32),
    time=np.full(6, NO_TIME),
    intensity=np.array([1, 1, 0, 1, 1, 1], np.float32),
    split=np.zeros(6, np.int8),
)


def impressions(
    ranges: list[tuple[int, int]], labels: list[list[float]], users: list[int] | None = None
) -> Impressions:
    """Impressions whose time says how much was read before, after 1000."""
    start, end = (np.array(bound, np.int64) for bound in zip(*ranges, strict=True))
    counts = [len(row) for row in labels]
    return Impressions(
        user=np.zeros(len(ranges), np.int32) if users is None else np.array(users, np.int32),
        time=end + 1000,
        split=np.zeros(len(ranges), np.int8),
        history_start=start,
        history_end=end,
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        item=np.arange(sum(counts), dtype=np.int32) + 100,
        label=np.concatenate(labels).astype(np.float32),
    )


def test_impressions_keep_known_candidates_and_tell_who_needs_negatives() -> None:
    shown = impressions([(0, 1), (0, 2), (0, 3)], [[1.0, 0.0], [0.5], [np.nan, 1.0, 0.25]])
    found = impression_examples(shown, np.array([True, True, True]))
    np.testing.assert_array_equal(found.offsets, [0, 2, 3, 5])
    np.testing.assert_array_equal(found.item, [100, 101, 102, 104, 105])
    np.testing.assert_array_equal(found.sampled, [False, True, True])
    np.testing.assert_array_equal(found.row, [0, 1, 2])
    # Positions are counted before the unlabelled candidate is left out; an event stands in no list.
    np.testing.assert_array_equal(found.position, [1, 2, 0, 2, 3])
    part = impression_examples(shown, np.array([False, True, True]))
    np.testing.assert_array_equal(part.end, [2, 3])
    np.testing.assert_array_equal(part.item, [102, 104, 105])
    np.testing.assert_array_equal(part.row, [1, 2])


def test_selecting_examples() -> None:
    found = impression_examples(impressions([(0, 1), (0, 2)], [[1.0, 0.0], [0.5]]), np.array([True, True]))
    turned = found.select(np.array([1, 0, 1]))
    np.testing.assert_array_equal(turned.item, [102, 100, 101, 102])
    np.testing.assert_array_equal(turned.offsets, [0, 1, 3, 4])
    np.testing.assert_array_equal(turned.position, [0, 1, 2, 0])
    np.testing.assert_array_equal(turned.end, [2, 1, 2])


def test_histories_give_every_positive_event_once_with_what_came_before() -> None:
    shown = impressions([(0, 2), (0, 4), (0, 4), (4, 6), (2, 2)], [[1.0]] * 5)
    found = history_examples(shown, TIMELINES, np.ones(5, bool))
    # Of the ranges from row 0 the longest is taken; row 2 has no intensity and is no target.
    assert list(zip(found.start.tolist(), found.end.tolist(), strict=True)) == [(0, 1), (0, 3), (4, 5)]
    np.testing.assert_array_equal(found.item, [1, 3, 5])
    np.testing.assert_array_equal(found.row, [1, 3, 5])  # of the timelines
    assert found.sampled.all()


def test_without_order_an_event_is_told_from_all_others() -> None:
    """Four events of train and two of valid: the history of each of the four are the other three."""
    timelines = replace(TIMELINES, split=np.array([0, 0, 0, 0, 1, 1], np.int8))
    shown = impressions([(0, 0), (0, 1), (0, 3)], [[1.0], [1.0], [0.5]])
    found = without_order(impression_examples(shown, np.ones(3, bool)), timelines)
    np.testing.assert_array_equal(found.start, [0, 0, 0])
    np.testing.assert_array_equal(found.end, [4, 4, 4])
    np.testing.assert_array_equal(found.omitted, [0, 1, 3])
    np.testing.assert_array_equal(found.select(np.array([2, 0])).omitted, [3, 0])


def test_early_stopping_looks_at_what_shows_both_classes_where_anything_does() -> None:
    shown = impressions([(0, 1), (0, 2), (0, 3), (0, 4)], [[1.0, 0.0], [0.5], [0.0], [0.0, 0.25, 1.0]])
    mixed = select_contrasting(impression_examples(shown, np.array([True, True, True, True])))
    np.testing.assert_array_equal(np.diff(mixed.offsets), [2, 3])
    events = impression_examples(shown, np.array([False, True, True, False]))
    np.testing.assert_array_equal(select_contrasting(events).item, events.item)


def test_events_after_one_history_are_one_example() -> None:
    ranges = [(0, 1), (0, 1), (0, 1), (0, 2), (0, 2), (0, 2), (0, 2)]
    labels = [[1.0], [0.0], [0.5], [1.0], [1.0, 0.0], [0.25], [0.5]]
    shown = impressions(ranges, labels)
    found = impression_examples(shown, np.ones(7, bool))
    # An impression of several items is not joined, and no event with another beyond it.
    assert np.diff(found.offsets).tolist() == [3, 1, 2, 2]
    np.testing.assert_array_equal(found.item, np.arange(100, 108))
    np.testing.assert_array_equal(found.label, np.concatenate(labels).astype(np.float32))
    # That one of an invoice's lines is of no interest does not say that it was shown and ignored.
    np.testing.assert_array_equal(found.sampled, [True, True, False, True])
    np.testing.assert_array_equal(found.row, [0, 3, 4, 5])
    np.testing.assert_array_equal(found.end, [1, 2, 2, 2])
    np.testing.assert_array_equal(found.time, [1001, 1002, 1002, 1002])
    # What is masked or unknown is not there to be joined.
    some = impression_examples(shown, np.array([True, False, True, True, False, True, True]))
    assert np.diff(some.offsets).tolist() == [2, 3]


def test_only_events_of_one_user_and_one_history_are_joined() -> None:
    shown = impressions([(0, 1), (0, 1), (1, 1), (0, 1)], [[1.0]] * 4, users=[0, 1, 1, 1])
    assert np.diff(impression_examples(shown, np.ones(4, bool)).offsets).tolist() == [1, 1, 1, 1]


def test_events_of_other_moments_are_examples_of_their_own() -> None:
    shown = impressions([(0, 1)] * 3, [[1.0]] * 3)
    later = replace(shown, time=np.array([1000, 1000, 2000]))
    assert np.diff(impression_examples(later, np.ones(3, bool)).offsets).tolist() == [2, 1]


def test_an_example_has_at_most_32_events() -> None:
    shown = impressions([(0, 1)] * 70 + [(0, 2)] * 2, [[1.0]] * 72)
    found = impression_examples(shown, np.ones(72, bool))
    assert np.diff(found.offsets).tolist() == [32, 32, 6, 2]
    np.testing.assert_array_equal(found.row, [0, 32, 64, 70])
    np.testing.assert_array_equal(found.item, np.arange(100, 172))


def test_no_impressions_no_examples() -> None:
    shown = impressions([(0, 2)], [[1.0]])
    assert len(history_examples(shown, TIMELINES, np.zeros(1, bool))) == 0
    assert len(impression_examples(shown, np.zeros(1, bool))) == 0


@pytest.mark.parametrize("seed", range(4))
def test_blocks_of_impressions_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs of events of one request, longer than an example may be, impressions and what is left out between them."""
    rng = np.random.default_rng(seed)
    request = np.repeat(np.arange(30), rng.choice([1, 2, 40], 30))
    n, is_event = len(request), (rng.random(30) < 0.7)[request]
    labels = [rng.choice([0.0, 1.0] if one else [np.nan, 0.0, 0.5, 1.0], 1 if one else 3).tolist() for one in is_event]
    shown = impressions([(0, int(r)) for r in request], labels, users=(request // 7).tolist())
    mask = rng.random(n) < 0.9
    targets = rng.random((len(shown.item), 2)).astype(np.float32)
    whole = impression_examples(shown, mask, targets)
    assert np.diff(whole.offsets).max() > 20
    monkeypatch.setattr(spilled_arrays, "_LEAST", 64)
    for size in (1, 5, 50):
        monkeypatch.setattr(blocks, "_BLOCK", size)
        parts = impression_examples(shown, mask, targets, tmp_path)
        for name, array in vars(whole).items():
            np.testing.assert_array_equal(getattr(parts, name), array, err_msg=name)
            assert array is None or getattr(parts, name).dtype == array.dtype
