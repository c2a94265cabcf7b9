"""Budgets: how they are written, and when they are spent."""

import pytest

from interestrec.core.errors import UsageError
from interestrec.learning.budget import Budget
from interestrec.learning.halving import Measurement, TrialState


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("60trials", Budget(trials=60)),
        ("1trial", Budget(trials=1)),
        ("90 m", Budget(seconds=5400.0)),
        ("1.5h", Budget(seconds=5400.0)),
        ("2d", Budget(seconds=172800.0)),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "60", "0trials", "1.5trials", "-1h", "2 weeks", "trials"])
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="60trials or 2h"):
        Budget.parse(text)


def test_time_is_divided_and_trials_are_not() -> None:
    assert Budget(seconds=100.0).per_system(4) == Budget(seconds=25.0)
    assert Budget(trials=8).per_system(4) == Budget(trials=8)


def test_a_budget_is_spent_by_trials_or_by_the_seconds_of_their_measurements() -> None:
    trials = [TrialState(n, {1: Measurement(0.5, 10.0)}) for n in range(3)]
    assert [Budget(trials=n).is_spent(trials) for n in (3, 4)] == [True, False]
    assert [Budget(seconds=s).is_spent(trials) for s in (30.0, 31.0)] == [True, False]
    assert not Budget(trials=3).ends_beginnings(trials)  # trials that have begun are measured
    assert Budget(seconds=30.0).ends_beginnings(trials)


def test_a_bracket_is_whole_unless_the_budget_ends_in_it() -> None:
    assert [Budget(trials=10).begun_together(n, 4) for n in (0, 1, 4, 5, 9)] == [0, 4, 4, 8, 10]
    assert Budget(seconds=1.0).begun_together(9, 4) == 12
