"""Batches of similar lengths: in which order they come, and how little of a batch is padding."""

from itertools import islice

import numpy as np
import pytest

from interestrec.training.length_batches import length_batches

LENGTHS = np.random.default_rng(0).integers(3, 60, 1003)


def taken(count: int, done: int = 0, seed: int = 5, size: int = 8) -> list[np.ndarray]:
    return list(islice(length_batches(LENGTHS, size, seed, done), count))


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
    longest = [LENGTHS[batch].max() for batch in taken(26, size=40)]  # one window
    assert abs(np.corrcoef(longest, np.arange(26))[0, 1]) < 0.5


def test_batches_larger_than_all_there_is_are_all_there_is() -> None:
    for batch in taken(3, size=5000):
        np.testing.assert_array_equal(np.sort(batch), np.arange(1003))
