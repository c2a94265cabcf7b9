"""A search of one system's settings: begins trials, measures them, and shares the work with other processes.

Whoever holds the lock of the search proposes trials or claims the next measurement; measurements are made without it.
A claim is a lock of the kernel, which a killed process loses, so that another one, or the same command again, measures
what it had begun.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from interestrec.core import interrupts
from interestrec.core.errors import ConfigError, LockedError, NumericError
from interestrec.core.progress import log
from interestrec.io.locks import hold_lock, try_lock
from interestrec.learning.budget import Budget
from interestrec.learning.halving import CONFIGURED, Brackets, Measurement, Step, TrialState
from interestrec.learning.proposals import PastTrial, Proposal, propose
from interestrec.learning.search_journal import SearchJournal
from interestrec.learning.search_space import Dimension

_PAUSE = 0.2  # seconds between looks at what other processes do


class TrialScore(NamedTuple):
    """What a trial reached on a rung, and its way there."""

    score: float  # higher is better
    curve: Mapping[int, float] = MappingProxyType({})  # validation scores of a training by epoch


Measure = Callable[[dict[str, Any], int], TrialScore]  # takes settings by dotted key, and the rung


@dataclass(frozen=True)
class TrialSearch:
    """The search of one system.

    Args:
        name: of the system.
        directory: where its journal is.
        space: its dimensions.
        configured: the configured values of the dimensions, which are trial 0.
        brackets: rungs and sizes.
        budget: of this system.
        sampler: `tune.sampler`.
    """

    name: str
    directory: Path
    space: Mapping[str, Dimension]
    configured: Mapping[str, Any]
    brackets: Brackets
    budget: Budget
    sampler: str
    seed: int
    unit: str = "steps"  # of rungs
    told: Callable[[float], str] = "{:.4f}".format  # a score as text

    def journal(self) -> SearchJournal:
        """Return the journal of the search."""
        return SearchJournal(self.directory / "journal.log", self.space)

    def run(self, measure: Measure) -> None:
        """Search until the budget is spent and every trial that goes on is measured, also those of other processes.

        Raises:
            ConfigError, NumericError: the configured settings cannot be measured; of others this is recorded.
        """
        journal = self.journal()
        while True:
            interrupts.check()
            with self._locked():
                self._begin(journal, self.budget.begun_together(len(self.trials(journal)), self.brackets.size))
                trials = self.trials(journal)
                steps = self.brackets.next_steps(trials, self.budget.ends_beginnings(trials))
                if not steps:
                    if self.budget.is_spent(trials):
                        journal.close(self.brackets.rungs[-1])
                        return
                    self._begin(journal, len(trials) + 1)
                    continue
                claimed = self._claim(steps)
            if claimed is None:
                time.sleep(_PAUSE)
                continue
            step, descriptor = claimed
            try:
                if step.rung not in journal.trials()[step.trial].measured:  # else another process has just done it
                    self._measure(journal, step, measure)
            finally:
                os.close(descriptor)

    def trials(self, journal: SearchJournal) -> list[TrialState]:
        """Return the trials within the budget; an earlier command may have had a larger one."""
        return journal.trials()[: self.budget.trials]

    def _measure(self, journal: SearchJournal, step: Step, measure: Measure) -> None:
        settings, fault = journal.settings(step.trial), None
        started = time.monotonic()
        found = self._known(journal, step, settings)
        if found is None:
            try:
                found = measure(settings, step.rung)
            except (ConfigError, NumericError) as error:
                if step.trial == CONFIGURED:
                    raise
                found, fault = TrialScore(math.nan), str(error)
        if fault is None and math.isnan(found.score):
            fault = "valid_select has nothing that measures it"
        if found.curve:
            journal.keep_curve(step.trial, found.curve)
        seconds = time.monotonic() - started
        journal.record(step.trial, step.rung, Measurement(found.score, seconds), fault)
        told = fault or self.told(found.score)
        log.info("tune: %s, trial %d with %d %s: %s", self.name, step.trial, step.rung, self.unit, told)

    def _known(self, journal: SearchJournal, step: Step, settings: dict[str, Any]) -> TrialScore | None:
        """Return the score of another trial with the same settings, None if there is none."""
        for trial in journal.trials():
            is_measured = step.rung in trial.measured and journal.fault(trial.number) is None
            if trial.number != step.trial and is_measured and journal.settings(trial.number) == settings:
                return TrialScore(trial.measured[step.rung].score, journal.curve(trial.number))
        return None

    def _begin(self, journal: SearchJournal, until: int) -> None:
        """Append trials until there are so many."""
        for number in range(len(journal.trials()), until):
            if number == CONFIGURED:
                journal.begin(Proposal(dict(self.configured), {}))
                continue
            past = self._past(journal, self.brackets.bracket_of(number))
            journal.begin(propose(self.space, past, number, self.sampler, self.seed))

    def _past(self, journal: SearchJournal, bracket: int) -> list[PastTrial]:
        """Return the trials that a proposal learns from: measured ones of earlier brackets, and those just begun."""
        past = []
        for trial in journal.trials():
            settings = journal.settings(trial.number)
            if not all(dimension.contains(settings[name]) for name, dimension in self.space.items()):
                continue
            earlier = self.brackets.bracket_of(trial.number) < bracket
            if earlier and (journal.fault(trial.number) is not None or not trial.measured):
                continue
            scores = {rung: found.score for rung, found in trial.measured.items()} if earlier else {}
            past.append(PastTrial(settings, scores, self.brackets.rungs[-1] in scores, journal.notes(trial.number)))
        return past

    def _claim(self, steps: list[Step]) -> tuple[Step, int] | None:
        """Claim the first measurement that no other process makes; return it with the descriptor of its lock."""
        for step in steps:
            descriptor = try_lock(self.directory / f"trial-{step.trial}.lock")
            if descriptor is not None:
                return step, descriptor
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the search; it is held for moments."""
        while True:
            try:
                with hold_lock(self.directory / "search.lock", str(self.directory)):
                    yield
                    return
            except LockedError:
                time.sleep(_PAUSE)
