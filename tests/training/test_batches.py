"""Batches: histories, candidates and negatives, by hand and in general."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from interestrec.corpus.store import NO_TIME, Timelines
from interestrec.training.batches import build_batch, histories, iterate_batches
from interestrec.training.examples import Examples
from interestrec.training.negative_sampler import NegativeSampler

ITEMS = np.array([10, 11, 12, 13, 14], np.int32)
TIMELINES = Timelines(
    offsets=np.array([0, 5]),
    user=np.zeros(5, np.int32),
    item=ITEMS,
    time=np.full(5, NO_TIME),
    intensity=np.array([1, 0.5, 1, 1, 0.25], np.float32),
    split=np.zeros(5, np.int8),
)
SAMPLER = NegativeSampler.from_popularity(np.bincount([10, 11, 20, 21, 22, 23], minlength=30) / 6, 6)


def examples(sampled: tuple[bool, bool] = (False, True)) -> Examples:
    """An impression of three candidates after two events, and an event after four."""
    return Examples(
        start=np.array([0, 0]),
        end=np.array([2, 4]),
        offsets=np.array([0, 3, 4]),
        item=np.array([20, 21, 22, 14], np.int32),
        label=np.array([0, 1, 0, 0.25], np.float32),
        sampled=np.array(sampled),
        row=np.array([7, 3]),
    )


def test_histories_are_the_most_recent_events_oldest_first() -> None:
    items, intensity = histories(np.array([0, 3, 1]), np.array([4, 3, 2]), TIMELINES, max_history=3)
    np.testing.assert_array_equal(items, [[11, 12, 13], [0, 0, 0], [11, 0, 0]])
    np.testing.assert_array_equal(intensity, np.array([[0.5, 1, 1], [0, 0, 0], [0.5, 0, 0]], np.float32))


def test_a_batch_by_hand() -> None:
    batch = build_batch(examples(), TIMELINES, SAMPLER, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.distinct[batch.history][0, :2], [10, 11])
    np.testing.assert_array_equal(batch.distinct[batch.history][1, :4], [10, 11, 12, 13])
    np.testing.assert_array_equal(batch.distinct[batch.candidates][0, :3], [20, 21, 22])
    np.testing.assert_array_equal(batch.known, [[True] * 3 + [False] * 6, [True] + [False] * 8])
    np.testing.assert_array_equal(batch.labels[:, :3], np.array([[0, 1, 0], [0.25, 0, 0]], np.float32))
    assert not batch.present[0, 3:].any()
    assert (batch.labels[:, 3:] == 0).all()
    np.testing.assert_array_equal(batch.row, [7, 3])


def test_negatives_never_are_in_the_history_nor_the_candidate() -> None:
    for seed in range(20):
        batch = build_batch(examples(), TIMELINES, SAMPLER, 1, np.random.default_rng(seed))  # 10 and 11 are cut off
        negatives = batch.distinct[batch.candidates][1, 3:][batch.present[1, 3:]]
        assert set(negatives.tolist()) <= {20, 21, 22, 23}


def test_nothing_is_drawn_where_nothing_is_needed() -> None:
    batch = build_batch(examples((False, False)), TIMELINES, SAMPLER, 50, np.random.default_rng(0))
    assert batch.candidates.shape == (2, 3)


def test_the_same_seed_gives_the_same_batches() -> None:
    def run(seed: list[int]) -> list[np.ndarray]:
        order = np.array([1, 0])
        return [b.distinct for b in iterate_batches(examples(), TIMELINES, SAMPLER, order, np.arange(3), 50, seed)]

    assert all(np.array_equal(a, b) for a, b in zip(run([1, 2]), run([1, 2]), strict=True))
    assert not np.array_equal(run([1, 2])[0], run([1, 3])[0])
    assert len(run([1])) == 2


@given(st.integers(1, 6), st.integers(0, 1000))
def test_distinct_items_are_sorted_and_all_used(max_history: int, seed: int) -> None:
    batch = build_batch(examples(), TIMELINES, SAMPLER, max_history, np.random.default_rng(seed))
    assert (np.diff(batch.distinct) > 0).all()
    used = np.union1d(batch.history, batch.candidates)
    np.testing.assert_array_equal(used, np.arange(len(batch.distinct)))
