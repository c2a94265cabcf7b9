"""Parts of a batch, and where one batch ends and the next begins."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from interestrec.training.batches import Batch, BatchLimits, batch_offsets
from interestrec.training.examples import Examples
from tests.training.requests import builder, requests, timeline
from tests.training.test_batches import ITEMS, NEGATIVES, TIMELINES, Given, examples

FIELDS = "intensity days user labels present known log_rate moments user_moments row".split()


def batch(count: int) -> Batch:
    """Impressions and events with negatives, in turn."""
    pair = examples()
    return builder(TIMELINES, ITEMS).build(pair.select(np.arange(count) % 2), Given(), np.random.default_rng(0))


@pytest.mark.parametrize(("count", "slices"), [(8, 1), (8, 2), (7, 3), (3, 4)])
def test_the_parts_of_a_batch_are_the_whole(count: int, slices: int) -> None:
    whole = batch(count)
    parts = whole.split(slices)
    assert len(parts) == slices
    assert sum(map(len, parts)) == count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for name in FIELDS:
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))
    for name in ("history", "candidates"):
        items = np.concatenate([part.distinct[getattr(part, name)] for part in parts])
        np.testing.assert_array_equal(items, whole.distinct[getattr(whole, name)])
        assert all(getattr(part, name).dtype == np.int32 for part in parts)
    for part in parts:
        np.testing.assert_array_equal(part.distinct[part.shared], NEGATIVES)


def test_a_part_has_the_items_of_its_own_examples_alone() -> None:
    first, second = batch(2).split(2)
    assert 12 not in first.distinct  # of the second example's history
    assert 12 in second.distinct
    for part in (first, second):
        used = np.unique(part.distinct[np.concatenate([part.history.ravel(), part.candidates.ravel(), part.shared])])
        np.testing.assert_array_equal(part.distinct, used)


# Item n of the timeline has a text of n + 1 tokens, shown item 10 + n one of 100 (n + 1).
LINE = timeline(range(5))
LENGTHS = np.array([1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 100, 200, 300, 400])


def shown(*lists: list[int], read: int = 0) -> Examples:
    """Impressions that show the given items after the first `read` events."""
    return requests(*lists, end=np.full(len(lists), read), sampled=np.zeros(len(lists), bool))


def begins(chosen: Examples, order: Sequence[int], size: BatchLimits, max_history: int = 9) -> list[int]:
    return batch_offsets(chosen, LINE, np.array(list(order), np.int64), size, max_history).tolist()


def test_without_a_limit_of_tokens_examples_are_counted() -> None:
    chosen = shown(*[[10]] * 7)
    assert begins(chosen, list(range(7)), BatchLimits(3)) == [0, 3, 6, 7]
    assert begins(chosen, list(range(6)), BatchLimits(3)) == [0, 3, 6]
    assert begins(chosen, list(range(7)), BatchLimits(3, 10**6, LENGTHS)) == [0, 3, 6, 7]
    assert begins(chosen, list(range(6)), BatchLimits(3, 10**6, LENGTHS)) == [0, 3, 6]


def test_a_batch_ends_before_its_distinct_items_have_more_tokens() -> None:
    chosen = shown([10], [11], [10], [12], [10, 11], [12])
    # 100 + 200 + 0 for what is there already; item 12 is 300 by itself, and with either of the others too much.
    for limit in (300, 399):
        assert begins(chosen, range(6), BatchLimits(9, limit, LENGTHS)) == [0, 3, 4, 5, 6]
    assert begins(chosen, range(6), BatchLimits(9, 600, LENGTHS)) == [0, 6]
    assert begins(chosen, range(6), BatchLimits(2, 600, LENGTHS)) == [0, 2, 4, 6]
    # In another order.
    assert begins(chosen, [3, 5, 0, 2, 1, 4], BatchLimits(9, 300, LENGTHS)) == [0, 2, 6]


def test_an_example_larger_than_the_limit_is_alone() -> None:
    chosen = shown([10], [12, 13], [10], [10])
    assert begins(chosen, range(4), BatchLimits(9, 150, LENGTHS)) == [0, 1, 2, 4]
    assert begins(chosen, [1, 0, 2, 3], BatchLimits(9, 150, LENGTHS)) == [0, 1, 4]
    assert begins(chosen, [0, 2, 3, 1], BatchLimits(9, 150, LENGTHS)) == [0, 3, 4]


def test_of_histories_what_is_read_counts() -> None:
    chosen = shown([10], [10], read=5)
    assert begins(chosen, range(2), BatchLimits(9, 115, LENGTHS)) == [0, 2]  # 1 + 2 + 3 + 4 + 5 + 100
    assert begins(chosen, range(2), BatchLimits(9, 114, LENGTHS)) == [0, 1, 2]
    assert begins(chosen, range(2), BatchLimits(9, 109, LENGTHS), max_history=2) == [0, 2]  # 4 + 5 + 100
    assert begins(chosen, range(2), BatchLimits(9, 108, LENGTHS), max_history=2) == [0, 1, 2]


def test_examples_made_from_events_count_as_often_as_they_have_events() -> None:
    chosen = requests([10, 11], [10], [10, 11, 12], [10] * 20, [10] * 20, sampled=[True, True, True, True, False])
    # 2 + 1 + 3, then at most eight, then an impression, which counts once.
    assert begins(chosen, range(5), BatchLimits(6)) == [0, 3, 4, 5]
    assert begins(chosen, range(5), BatchLimits(5)) == [0, 2, 3, 4, 5]
    assert begins(chosen, range(5), BatchLimits(15)) == [0, 5]
    assert begins(chosen, range(5), BatchLimits(14)) == [0, 4, 5]
    assert begins(chosen, range(5), BatchLimits(13)) == [0, 3, 5]


def test_rows_of_a_batch_are_limited_however_few_events_they_have() -> None:
    assert begins(shown(*[[10]] * 7), range(7), BatchLimits(100, lists=3)) == [0, 3, 6, 7]
    assert begins(shown(*[[10]] * 7), range(7), BatchLimits(2, lists=3)) == [0, 2, 4, 6, 7]


@pytest.mark.parametrize("size", [BatchLimits(3), BatchLimits(3, 100, LENGTHS)])
def test_no_examples_no_batches(size: BatchLimits) -> None:
    assert begins(shown([10]), [], size) == [0]


def test_batches_are_cut_where_they_are_told_and_go_on_where_they_stood() -> None:
    pair = examples()
    chosen = pair.select(np.arange(9) % 2)
    numbered = replace(chosen, row=np.arange(9))
    made = builder(TIMELINES, ITEMS)
    cuts = np.array([0, 4, 5, 9])
    order = np.arange(9)[::-1]
    whole = list(made.iterate(numbered, Given(), order, cuts, [1]))
    assert [b.row.tolist() for b in whole] == [[8, 7, 6, 5], [4], [3, 2, 1, 0]]
    rest = list(made.iterate(numbered, Given(), order, cuts, [1], done=1))
    assert len(rest) == 2
    for one, other in zip(rest, whole[1:], strict=True):
        np.testing.assert_array_equal(one.distinct[one.candidates], other.distinct[other.candidates])
