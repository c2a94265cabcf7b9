"""Labels of tasks in batches: with their candidates, at padding, and beside sampled negatives."""

import numpy as np

from interestrec.training.batches import _padded_targets
from interestrec.training.examples import Examples
from tests.training.batch_of import batch_of

NAN = np.nan


def examples() -> Examples:
    """Three examples of two, no and one candidates, with two tasks."""
    none = np.zeros(3, np.int64)
    return Examples(
        start=none,
        end=none,
        offsets=np.array([0, 2, 2, 3]),
        item=np.array([4, 5, 6], np.int32),
        label=np.ones(3, np.float32),
        position=np.zeros(3, np.int32),
        sampled=np.ones(3, bool),
        row=np.arange(3),
        user=np.zeros(3, np.int32),
        time=none,
        targets=np.array([[1, NAN], [0, 2], [NAN, 3]], np.float32),
    )


def test_labels_follow_their_candidates_and_are_unknown_at_padding() -> None:
    chosen = examples().select(np.array([2, 0]))
    np.testing.assert_array_equal(chosen.targets, [[NAN, 3], [1, NAN], [0, 2]])
    row, inside = np.array([[0, 0], [1, 2]]), np.array([[True, False], [True, True]])
    padded = _padded_targets(chosen, row, inside)
    np.testing.assert_array_equal(padded, [[[NAN, 3], [NAN, NAN]], [[1, NAN], [0, 2]]])


def test_sampled_negatives_are_the_shared_items_that_are_present() -> None:
    present = np.array([[True, True, False, True], [False, True, True, True]])
    targets = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    batch = batch_of(9, [[1], [2]], [[3, 4], [5, 6]], np.ones((2, 4)), [7, 8], present=present, targets=targets)
    np.testing.assert_array_equal(batch.drawn, [[False, False, False, True], [False, False, True, True]])
    first, second = batch.split(2)
    np.testing.assert_array_equal(second.targets, targets[1:])
    np.testing.assert_array_equal(first.drawn, batch.drawn[:1])
    assert batch_of(9, [[1]], [[3]], [[1.0]]).split(1)[0].targets is None
