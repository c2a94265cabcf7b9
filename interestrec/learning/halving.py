"""Successive halving in brackets: which trials run next, by what is known of all trials.

A bracket is a group of trials that begin together. On each rung all of them are measured at the same cost; then the
best of them go on to the next rung and the others end (Jamieson and Talwalkar 2016, "Non-stochastic best arm
identification and hyperparameter optimization"). The next bracket begins when the last rung of this one is measured.
What runs next is a function of what was measured, so it does not matter when a search was killed, or how many
processes work on it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CONFIGURED = 0  # number of the trial of the configured settings, which is measured on every rung


class Measurement(NamedTuple):
    """What a trial reached on a rung."""

    score: float  # higher is better; NaN where the trial cannot be measured
    seconds: float


@dataclass(frozen=True)
class TrialState:
    """What is known of a trial."""

    number: int
    measured: Mapping[int, Measurement] = field(default_factory=dict)  # by rung

    @property
    def seconds(self) -> float:
        """Time that its measurements took."""
        return sum(measurement.seconds for measurement in self.measured.values())


class Step(NamedTuple):
    """A measurement to be made."""

    trial: int
    rung: int


@dataclass(frozen=True)
class Brackets:
    """The rules of a search.

    Args:
        rungs: costs on which trials are measured, rising, such as epochs; the last one is a whole fit.
        size: trials per bracket.
        reduction: of so many trials on a rung, one goes on.
    """

    rungs: Sequence[int]
    size: int
    reduction: int

    def bracket_of(self, number: int) -> int:
        """Return the bracket of a trial."""
        return number // self.size

    def climbing(self, trials: Sequence[TrialState], rung: int) -> list[int]:
        """Return the trials of a bracket that belong on a rung, by what was measured on the rung below.

        The trial of the configured settings always does. Equal scores are in the order of numbers; trials that could
        not be measured do not go on.
        """
        numbers = [trial.number for trial in trials]
        places = len(numbers)
        by_number = {trial.number: trial for trial in trials}
        for below in self.rungs[: list(self.rungs).index(rung)]:
            scores = {n: by_number[n].measured[below].score for n in numbers}
            best = sorted((n for n in numbers if not math.isnan(scores[n])), key=lambda n: (-scores[n], n))
            places = math.ceil(places / self.reduction)
            kept = {*best[:places], CONFIGURED}
            numbers = [n for n in numbers if n in kept]
        return numbers

    def next_steps(self, trials: Sequence[TrialState], spent: bool) -> list[Step]:
        """Return the measurements that can be made now, those of one rung; none if every bracket is complete.

        Args:
            trials: all of them, by number.
            spent: whether the budget is, so that trials without a measurement are left out; those of the configured
                settings are made in any case.
        """
        for bracket in range(self.bracket_of(len(trials) - 1) + 1 if trials else 0):
            members = trials[bracket * self.size : (bracket + 1) * self.size]
            if spent:
                members = [trial for trial in members if trial.measured or trial.number == CONFIGURED]
            for rung in self.rungs:
                belonging = self.climbing(members, rung)
                missing = [n for n in belonging if rung not in trials[n].measured]
                if missing:
                    return [Step(n, rung) for n in missing]
        return []

    def complete(self, trials: Sequence[TrialState]) -> list[TrialState]:
        """Return the trials that were measured on the last rung."""
        return [t for t in trials if self.rungs[-1] in t.measured and not math.isnan(t.measured[self.rungs[-1]].score)]

    def best(self, trials: Sequence[TrialState]) -> TrialState | None:
        """Return the trial with the highest score on the last rung, the first of equal ones; None without any."""
        top = self.rungs[-1]
        return min(self.complete(trials), key=lambda t: (-t.measured[top].score, t.number), default=None)


def rungs_of_epochs(first: int, last: int, reduction: int) -> list[int]:
    """Return the epochs of rungs, each `reduction` times the one before; the last one is all epochs.

    Counted back from the last: of 5 epochs with a reduction of 3 those are 1, 2 and 5, of 9 epochs 1, 3 and 9.
    """
    rungs = [last]
    while (below := math.ceil(rungs[0] / reduction)) < rungs[0] and below >= first:
        rungs.insert(0, below)
    return rungs
