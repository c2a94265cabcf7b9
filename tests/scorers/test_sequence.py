"""The sequence scorer: what a step is, what is learned from it, and that nobody's name decides."""

import signal
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import NumericError
from interestrec.core.interrupts import Interrupted
from interestrec.corpus.store import NO_TIME
from interestrec.scorers import sequence
from interestrec.scorers.requests import Events
from interestrec.scorers.sequence_steps import HistorySteps, windows
from interestrec.training.training_checkpoint import CheckpointStore
from tests.scoring.asking import events, requests

DAY = 86_400_000_000
ITEMS = 12


def cycles(users: int = 30, length: int = 14) -> Events:
    """Every user goes through all items in a circle, from a start of their own, one a day."""
    pairs = [(user, (user + n) % ITEMS) for user in range(users) for n in range(length)]
    return events(pairs, users + 2, ITEMS + 1, [float(n) for _ in range(users) for n in range(length)])


def fitted(log: Events, **changed: object) -> sequence.SequenceScorer:
    small = {"width": 16, "batch_size": 8, "epochs": 30, "negatives": 8, "learning_rate": 0.01, "length": 10}
    settings = sequence.SequenceSettings(**{**small, **changed})
    return sequence.fit(log, 0.5, None, **settings.model_dump(), seed=1)


def test_a_circle_is_learned() -> None:
    scorer = fitted(cycles())
    histories = [[(start + n) % ITEMS for n in range(4)] for start in range(ITEMS)]
    score = scorer.score_catalogue(requests(*histories, days=[float(n % 4) for n in range(4 * ITEMS)]))
    assert (score.argmax(axis=1) == (np.arange(ITEMS) + 4) % ITEMS).all()
    assert not score[:, ITEMS].any()  # an item without events


def test_a_gap_is_unknown_where_time_goes_back_or_is_missing() -> None:
    time = np.array([5 * DAY, 3 * DAY, 4 * DAY, NO_TIME, 4 * DAY])
    steps = HistorySteps.from_entries(np.array([0, 5]), np.arange(5, dtype=np.int32), time, 2)
    np.testing.assert_array_equal(steps.gap, [0, 0, 17, 0, 0])


def test_steps_are_moments_of_at_most_so_many_items() -> None:
    time = np.array([0, 0, 0, DAY, DAY, 0, 3 * DAY])
    steps = HistorySteps.from_entries(np.array([0, 5, 7]), np.arange(7, dtype=np.int32), time, 2)
    np.testing.assert_array_equal(steps.step_offsets, [0, 2, 3, 5, 6, 7])
    np.testing.assert_array_equal(steps.offsets, [0, 3, 5])
    # No step before; in the same second; 86,400 seconds: floor(log2(86,401)) = 16; 259,200 seconds: 17.
    np.testing.assert_array_equal(steps.gap, [0, 1, 17, 0, 18])
    begin, end = np.array([0, 3]), np.array([2, 4])
    items, step, gaps = steps.inputs(begin, end)
    np.testing.assert_array_equal(items, [0, 1, 2, 5])
    np.testing.assert_array_equal(step, [0, 0, 1, 2])
    np.testing.assert_array_equal(gaps, [[0, 1], [0, 0]])
    np.testing.assert_array_equal(steps.targets(begin, end, 2), [[[2, -1], [3, 4]], [[6, -1], [-1, -1]]])


def test_a_step_holds_half_of_what_is_taken_at_once_unless_the_settings_say_otherwise() -> None:
    pairs = [(user, item) for user in range(3) for item in range(8)]
    log = events(pairs, 3, 8, [float(item // 4) for _, item in pairs])  # four a day
    assert fitted(log, epochs=1).step_items == 2
    assert fitted(log, epochs=1, step_items=3).step_items == 3
    assert fitted(cycles(3), epochs=1).step_items == 1


def test_items_of_one_moment_are_shuffled_and_no_others() -> None:
    time = np.array([0, 0, 0, 0, DAY, 2 * DAY, 2 * DAY])
    steps = HistorySteps.from_entries(np.array([0, 7]), np.arange(7, dtype=np.int32), time, 2)
    orders = {tuple(steps.shuffled(np.random.default_rng(seed)).item.tolist()) for seed in range(40)}
    assert len(orders) > 20
    assert {frozenset(order[:4]) for order in orders} == {frozenset(range(4))}
    assert {order[4] for order in orders} == {4}


def test_windows_cover_each_step_with_a_next_one_once() -> None:
    offsets = np.array([0, 1, 6, 13])
    steps = HistorySteps(np.zeros(0, np.int32), np.zeros(0), np.zeros(0), np.zeros(0, np.int32), offsets)
    begin, end = windows(steps, 3)
    covered = np.sort(np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)]))
    np.testing.assert_array_equal(covered, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
    assert (end - begin <= 3).all()


def test_names_of_users_decide_nothing() -> None:
    log, renamed = cycles(9), np.random.default_rng(0).permutation(11).astype(np.int32)
    order = np.argsort(renamed[log.user], kind="stable")
    other = Events(
        renamed[log.user][order], log.item[order], log.intensity[order], log.time[order], log.n_users, log.n_items
    )
    a, b = fitted(log, epochs=2), fitted(other, epochs=2)
    for name, value in a.arrays().items():
        np.testing.assert_array_equal(value, b.arrays()[name])


def test_the_past_beyond_the_length_is_not_read() -> None:
    scorer = fitted(cycles(9), epochs=1, length=3)
    days = [0.0, 1.0, 2.0, 3.0]
    (long,) = scorer.score_catalogue(requests([5, 1, 2, 3], days=days))
    (other,) = scorer.score_catalogue(requests([9, 1, 2, 3], days=days))
    np.testing.assert_array_equal(long, other)


def test_without_times_it_learns_what_occurs_together() -> None:
    pairs = [(user, item) for user in range(40) for item in range(user % 2 * 4, user % 2 * 4 + 4)]
    scorer = fitted(events(pairs, 40, 8, [None] * len(pairs)), step_items=2)
    (score,) = scorer.score_catalogue(requests([0, 1], days=[None, None]))
    assert score[2:4].min() > score[4:].max()


def test_single_events_are_followed_by_nothing() -> None:
    scorer = fitted(events([(user, user % 5) for user in range(10)], 10, 5))
    assert not scorer.score_catalogue(requests([0, 1], [3])).any()


def test_a_history_without_known_items_scores_zero() -> None:
    scorer = fitted(cycles(9), epochs=1)
    score = scorer.score_catalogue(requests([], [ITEMS], [0], intensity=[1.0, 0.2]))
    assert not score.any()


def test_an_interrupted_fit_resumes_with_the_same_bits(tmp_path: Path) -> None:
    class Interruption(CheckpointStore):
        """Ends the fit after its tenth checkpoint, as a signal does."""

        def save(self, step: int, *arguments: object) -> None:
            super().save(step, *arguments)  # type: ignore[arg-type]
            if step == 10:
                raise Interrupted(signal.SIGTERM)

    log, whole = cycles(9), fitted(cycles(9), epochs=10)
    settings = {"width": 16, "batch_size": 8, "epochs": 10, "negatives": 8, "learning_rate": 0.01, "length": 10}
    chosen = sequence.SequenceSettings(**settings).model_dump()
    with pytest.raises(Interrupted):
        sequence.fit(log, 0.5, lambda name: Interruption(tmp_path / name, 0.0), **chosen, seed=1)
    resumed = sequence.fit(log, 0.5, lambda name: CheckpointStore(tmp_path / name, 0.0), **chosen, seed=1)
    for name, value in whole.arrays().items():
        np.testing.assert_array_equal(value, resumed.arrays()[name])


def test_a_loss_that_is_not_finite_names_the_setting() -> None:
    with pytest.raises(NumericError, match=r"rank\.sequence\.learning_rate"):
        fitted(cycles(9), learning_rate=1e30)


def test_the_number_of_steps_is_bounded() -> None:
    log = cycles(9)
    per_epoch = sequence._batches(log, np.unique(log.item), 10, None, 8, 8, 1).per_epoch
    short, bounded = fitted(log, epochs=2), fitted(log, epochs=50, max_steps=2 * per_epoch)
    np.testing.assert_array_equal(short.weights["items"], bounded.weights["items"])
