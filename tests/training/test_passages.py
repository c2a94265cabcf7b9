"""Texts by themselves: in which order they come, and how little of a batch is padding."""

from itertools import islice

import numpy as np
import pytest

from interestrec.encoding.inputs import TextInputs
from interestrec.training.passages import Passages, batches

LENGTHS = np.random.default_rng(0).integers(3, 60, 1003)


def taken(count: int, done: int = 0, seed: int = 5, size: int = 8) -> list[np.ndarray]:
    return list(islice(batches(LENGTHS, size, seed, done), count))


def test_every_pass_has_each_row_once_in_batches_of_about_one_size() -> None:
    a_pass = -(-1003 // 8)
    for start in (0, a_pass):
        rows = taken(a_pass, start)
        np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(1003))
        assert {len(batch) for batch in rows} == {7, 8}


def test_passes_and_seeds_differ() -> None:
    a_pass = -(-1003 // 8)
    one, next_one, other = (np.concatenate(t) for t in (taken(a_pass), taken(a_pass, a_pass), taken(a_pass, seed=6)))
    assert not np.array_equal(one, next_one)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("done", [1, 125, 126, 127, 300])
def test_a_batch_depends_on_its_number_alone(done: int) -> None:
    for ours, theirs in zip(taken(9, done), taken(done + 9)[done:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_little_is_padding_and_lengths_come_in_no_order() -> None:
    rows = taken(-(-1003 // 8))
    padded = sum(len(batch) * LENGTHS[batch].max() for batch in rows)
    assert LENGTHS.sum() / padded > 0.9
    longest = [LENGTHS[batch].max() for batch in rows]
    assert abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.3


def test_batches_larger_than_all_there_is_are_all_there_is() -> None:
    for batch in taken(3, size=5000):
        np.testing.assert_array_equal(np.sort(batch), np.arange(1003))


def test_each_side_is_padded_by_itself() -> None:
    short = TextInputs(np.array([0, 3, 6]), np.arange(6, dtype=np.int32), 9)
    long = TextInputs(np.array([0, 2, 12]), np.arange(12, dtype=np.int32), 9)
    passages = Passages((short, long), np.array([4, 7]))
    assert passages.lengths.tolist() == [5, 13]
    ids, mask, other, other_mask = passages.padded(np.array([1, 0]))
    assert (ids.shape, other.shape) == ((2, 8), (2, 16))
    assert ids[0].tolist() == [3, 4, 5, 9, 9, 9, 9, 9]
    assert (mask.sum(), other_mask.sum()) == (6, 12)
    assert passages.select(np.array([1])).items.tolist() == [7]
