"""The walk of policies through the windows: learn, answer, score; whatever is complete is not done again."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.evaluation.list_metrics import ListTruth
from interestrec.io import files
from interestrec.learning.replay_policy import PolicyWorkspace
from interestrec.learning.replay_requests import KnownNames, ReplayLog
from interestrec.learning.replay_scores import LONGEST, list_of, read_scores, score_lists, write_scores
from interestrec.learning.replay_windows import ReplayWindow, ages, decisions_needed, window_truth
from interestrec.learning.step_process import StepProcesses

REFIT, UPDATE, FROZEN = "refit", "update", "frozen"
BUILT_IN = (REFIT, UPDATE, FROZEN)
_AGED = "aged"  # answers of an earlier decision of `refit`


@dataclass(frozen=True)
class ReplayRun:
    """A replay in a directory that is kept until its artifact is committed."""

    work: Path
    log: ReplayLog
    windows: Sequence[ReplayWindow]
    policies: Mapping[str, Mapping[str, Any]]  # name -> configuration as JSON values
    forgotten: Path  # see PolicyWorkspace.prepare
    root: Path  # of the raw files, which updates read
    keeps_seen: bool  # see window_truth
    processes: StepProcesses = field(default_factory=StepProcesses)

    @property
    def ages(self) -> list[int]:
        """The numbers of windows from one refit to the next that are compared; none without the policy `refit`."""
        return ages(len(self.windows)) if REFIT in self.policies else []

    def run(self, jobs: int) -> None:
        """Walk all policies through all windows, `jobs` at a time.

        Raises:
            StepError: a step failed; the same command goes on from there.
        """
        shared = [name for name in self.policies if name in BUILT_IN]
        if shared:
            self.first.prepare(self.forgotten)
            self.first.fit(0, self.windows[0].start)
        try:
            with ThreadPoolExecutor(jobs) as threads:
                try:
                    for done in [threads.submit(self._walk, name) for name in self.policies]:
                        done.result()
                except BaseException:
                    self.processes.end()
                    threads.shutdown(cancel_futures=True)
                    raise
        finally:
            self.processes.end()

    def scores(self, policy: str, window: int) -> pa.Table:
        """Return the rows of report_schemas.REPLAY_SCORES of a policy in a window, from 0."""
        return read_scores(self._scored(policy, window))

    def aged_scores(self, window: int, decision: int) -> pa.Table:
        """Return the rows of REPLAY_SCORES of the decision that was refitted at the start of window `decision`."""
        return read_scores(self._scored(REFIT, window) if decision == window else self._scored_aged(window, decision))

    def costs(self, policy: str, window: int) -> list[dict[str, Any]]:
        """Return what the steps of a policy took in a window, as values of report_schemas.REPLAY_COSTS."""
        own = self._place(policy)
        learned = self.first if policy in BUILT_IN and window == 0 else own
        steps = {"learn": learned.costs("learn", window), "answer": own.costs(f"answer-{policy}", window)}
        return [{"step": step, **record} for step, record in steps.items() if record is not None]

    def told(self, policy: str) -> dict[str, int]:
        """Return the numbers of events that came with requests of a policy, and of those left out, of all windows."""
        counts = [files.read_json(self._counts(policy, window)) for window in range(len(self.windows))]
        return {name: sum(count[name] for count in counts) for name in ("lists", "new_events", "left_out")}

    @cached_property
    def first(self) -> PolicyWorkspace:
        """The first decision, which the policies with the replay's own configuration share."""
        values = next(values for name, values in self.policies.items() if name in BUILT_IN)
        return PolicyWorkspace(self.work / "first", values, self.processes)

    def truth(self, window: int) -> tuple[np.ndarray, ListTruth]:
        """Return the users with a true item in a window, ascending, and the true items."""
        corpus = self.log.corpus
        truth = window_truth(self.log.events, self.windows[window], corpus.users.num_rows, self.keeps_seen)
        return np.flatnonzero(np.diff(truth.offsets)), truth

    def _walk(self, policy: str) -> None:
        place = self._place(policy)
        (place.directory / "scored").mkdir(parents=True, exist_ok=True)
        if policy not in BUILT_IN:
            place.prepare(self.forgotten)
        elif policy != FROZEN:
            place.begin_as(self.first)
        for number in range(len(self.windows)):
            if self._scored(policy, number).exists() and policy != UPDATE and not self._ages_lack(policy, number):
                continue
            decision, fitted = self._learn(policy, number)
            if not self._scored(policy, number).exists():
                self._answer(place, policy, number, decision, fitted, self._scored(policy, number))
            if policy == REFIT:
                for earlier in decisions_needed(number, self.ages):
                    target = self._scored_aged(number, earlier)
                    if earlier != number and not target.exists():
                        self._answer(place, _AGED, number, self._refitted(earlier), self.windows[earlier].start, target)

    def _ages_lack(self, policy: str, window: int) -> bool:
        """Return whether an older decision has not answered a window yet."""
        needed = decisions_needed(window, self.ages) if policy == REFIT else []
        return any(n != window and not self._scored_aged(window, n).exists() for n in needed)

    def _learn(self, policy: str, window: int) -> tuple[Path, int]:
        """Return the decision that answers a window, and the time before which it knows everything."""
        at, place = self.windows[window].start, self._place(policy)
        if policy == FROZEN:
            return self.first.kept(0), self.windows[0].start
        if policy == UPDATE:
            if window:
                return place.update(window, self.windows[window - 1].start, at, self.root), at
            return self.first.kept(0), at
        if policy == REFIT:
            if window:
                place.fit(window, at)
            return self._refitted(window), at
        return place.fit(window, at), at

    def _refitted(self, window: int) -> Path:
        return (self._place(REFIT) if window else self.first).kept(window)

    def _answer(
        self, place: PolicyWorkspace, name: str, window: int, decision: Path, fitted: int, target: Path
    ) -> None:
        """Let a decision answer a window, and score its lists."""
        users, truth = self.truth(window)
        known, at = KnownNames.of(decision), self.windows[window].start
        lines, new, left_out = zip(*self.log.request_lines(users, fitted, at, known), strict=True)
        requests = place.directory / f"{name}-requests.jsonl"
        files.write_text(requests, "\n".join(lines) + "\n")
        answers = place.answer(name, window, at, decision, requests, LONGEST)
        lists = [list_of(document) for document in files.read_json_lines(answers)]
        counts = {"lists": len(users), "new_events": sum(new), "left_out": sum(left_out)}
        if name != _AGED:
            files.write_json(self._counts(name, window), counts)
        write_scores(target, score_lists(users, lists, self.log.item_row, truth))

    def _place(self, policy: str) -> PolicyWorkspace:
        return PolicyWorkspace(self.work / "policies" / policy, self.policies[policy], self.processes)

    def _scored(self, policy: str, window: int) -> Path:
        return self.work / "policies" / policy / "scored" / f"{window}.parquet"

    def _scored_aged(self, window: int, decision: int) -> Path:
        return self.work / "policies" / REFIT / "scored" / f"{window}-by-{decision}.parquet"

    def _counts(self, policy: str, window: int) -> Path:
        return self.work / "policies" / policy / "scored" / f"{window}.json"
