"""Successive halving: who goes on, by hand, and that what runs next depends on nothing but what was measured."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interestrec.learning.halving import Brackets, Measurement, Step, TrialState, rungs_of_epochs


def measured(scores: dict[int, float]) -> dict[int, Measurement]:
    return {rung: Measurement(score, 1.0) for rung, score in scores.items()}


def states(*scores: dict[int, float]) -> list[TrialState]:
    return [TrialState(number, measured(found)) for number, found in enumerate(scores)]


def test_one_in_three_goes_on_and_the_configured_trial_too() -> None:
    brackets = Brackets([1, 3], size=6, reduction=3)
    trials = states({1: 0.1}, {1: 0.5}, {1: 0.4}, {1: 0.9}, {1: 0.2}, {1: 0.3})
    assert brackets.next_steps(trials, spent=False) == [Step(0, 3), Step(1, 3), Step(3, 3)]
    trials[3] = TrialState(3, measured({1: 0.9, 3: 0.6}))
    assert brackets.next_steps(trials, spent=False) == [Step(0, 3), Step(1, 3)]


def test_the_configured_trial_takes_no_place_of_the_best() -> None:
    brackets = Brackets([1, 2, 5], size=9, reduction=3)
    trials = states({1: 0.0}, *[{1: n / 10} for n in range(1, 9)])
    assert [step.trial for step in brackets.next_steps(trials, spent=False)] == [0, 6, 7, 8]
    for number in (0, 6, 7, 8):
        trials[number] = TrialState(number, measured({1: number / 10, 2: number / 10}))
    assert brackets.next_steps(trials, spent=False) == [Step(0, 5), Step(8, 5)]


def test_a_rung_begins_when_the_one_below_is_measured() -> None:
    brackets = Brackets([1, 3], size=3, reduction=3)
    assert brackets.next_steps(states({1: 0.1}, {}, {1: 0.9}), spent=False) == [Step(1, 1)]


def test_a_bracket_waits_for_the_one_before() -> None:
    brackets = Brackets([1, 2], size=2, reduction=2)
    trials = states({1: 0.1, 2: 0.1}, {1: 0.3}, {}, {})
    assert brackets.next_steps(trials, spent=False) == [Step(1, 2)]
    assert brackets.next_steps(states({1: 0.1, 2: 0.1}, {1: 0.3, 2: 0.3}, {}, {}), spent=False) == [
        Step(2, 1),
        Step(3, 1),
    ]


def test_what_could_not_be_measured_does_not_go_on() -> None:
    brackets = Brackets([1, 2], size=4, reduction=2)
    trials = states({1: 0.1}, {1: math.nan}, {1: math.nan}, {1: math.nan})
    assert brackets.next_steps(trials, spent=False) == [Step(0, 2)]
    done = states({1: 0.1, 2: math.nan}, {1: math.nan}, {1: math.nan}, {1: math.nan})
    assert brackets.best(done) is None


def test_equal_scores_are_in_the_order_of_numbers() -> None:
    brackets = Brackets([1, 2], size=4, reduction=4)
    assert brackets.next_steps(states(*[{1: 0.5}] * 4), spent=False) == [Step(0, 2)]
    best = brackets.best(states({1: 0.5, 2: 0.7}, {1: 0.5, 2: 0.7}))
    assert best is not None and best.number == 0


def test_a_halved_trial_is_not_the_best_however_good_its_first_rung_was() -> None:
    best = Brackets([1, 2], 3, 3).best(states({1: 0.1, 2: 0.2}, {1: 0.9}, {1: 0.3, 2: 0.25}))
    assert best is not None and best.number == 2


def test_when_the_time_is_over_trials_that_were_not_measured_are_left_out() -> None:
    brackets = Brackets([1, 2], size=4, reduction=2)
    trials = states({1: 0.1}, {1: 0.9}, {}, {})
    assert brackets.next_steps(trials, spent=False) == [Step(2, 1), Step(3, 1)]
    assert brackets.next_steps(trials, spent=True) == [Step(0, 2), Step(1, 2)]
    assert brackets.next_steps(states({}, {}), spent=True) == [Step(0, 1)]  # the configured settings in any case


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(2, 4), st.integers(1, 20))
def test_the_order_of_measurements_changes_nothing(seed: int, size: int, reduction: int, count: int) -> None:
    """Processes take whichever measurement is free; every order ends with the same measurements and the same best."""
    brackets, rng = Brackets([1, 3, 9], size, reduction), np.random.default_rng(seed)
    scores = rng.integers(0, 5, (count, 3)) / 4
    ends = []
    for _ in range(3):
        trials = [TrialState(number) for number in range(count)]
        while steps := brackets.next_steps(trials, spent=False):
            step = steps[int(rng.integers(len(steps)))]
            known = dict(trials[step.trial].measured)
            value = float(scores[step.trial, brackets.rungs.index(step.rung)])
            trials[step.trial] = TrialState(step.trial, {**known, step.rung: Measurement(value, 1.0)})
        ends.append(trials)
    assert ends[0] == ends[1] == ends[2]
    assert brackets.best(ends[0]) is not None
    assert all(0 in {t.number for t in brackets.complete(trials)} for trials in ends)


@pytest.mark.parametrize(
    ("first", "last", "reduction", "rungs"),
    [
        (1, 5, 3, [1, 2, 5]),
        (1, 9, 3, [1, 3, 9]),
        (2, 9, 3, [3, 9]),
        (1, 1, 3, [1]),
        (4, 5, 3, [5]),
        (1, 4, 2, [1, 2, 4]),
    ],
)
def test_rungs_are_counted_back_from_all_epochs(first: int, last: int, reduction: int, rungs: list[int]) -> None:
    assert rungs_of_epochs(first, last, reduction) == rungs
