"""A search: killed anywhere and shared by processes, it has the trials and the winner of an undisturbed one."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interestrec.core.errors import NumericError
from interestrec.learning.budget import Budget
from interestrec.learning.halving import Brackets
from interestrec.learning.search_space import Alternatives, Range
from interestrec.learning.trial_search import TrialScore, TrialSearch
from tests.processes import PATIENCE

ROOT = Path(__file__).parents[2]
SPACE = {
    "s.rate": Range(0.001, 10.0, logarithmic=True, whole=False),
    "s.width": Range(1, 64, logarithmic=True, whole=True),
    "s.kind": Alternatives((None, 1.0, "x")),
}
CONFIGURED = {"s.rate": 0.001, "s.width": 2, "s.kind": None}


def quality(settings: dict[str, Any], rung: int) -> TrialScore:
    """Best at rate 1, width 20 and kind 1.0; a longer fit is a little better."""
    distance = abs(math.log(settings["s.rate"])) + abs(settings["s.width"] - 20) / 20
    return TrialScore(float(settings["s.kind"] == 1.0) - distance - 1 / rung)


def search(directory: Path, trials: int = 27, sampler: str = "tpe") -> TrialSearch:
    return TrialSearch(
        "s", directory, SPACE, CONFIGURED, Brackets([1, 3], 9, 3), Budget(trials=trials), sampler, seed=7
    )


def outcome(done: TrialSearch) -> list[tuple[dict[str, Any], dict[int, float], str | None]]:
    """All trials: their settings, scores and faults."""
    journal = done.journal()
    return [
        (journal.settings(t.number), {r: m.score for r, m in t.measured.items()}, journal.fault(t.number))
        for t in done.trials(journal)
    ]


def ran(directory: Path, measure: Callable[[dict[str, Any], int], TrialScore] = quality, **chosen: Any) -> TrialSearch:
    made = search(directory, **chosen)
    made.run(measure)
    return made


@pytest.mark.parametrize("sampler", ["tpe", "cma_es", "random"])
def test_a_search_that_was_killed_after_every_measurement_is_the_undisturbed_one(tmp_path: Path, sampler: str) -> None:
    whole = ran(tmp_path / "whole", sampler=sampler)
    killed = search(tmp_path / "killed", sampler=sampler)

    def dies(settings: dict[str, Any], rung: int) -> TrialScore:
        made.append(1)
        if len(made) % 2 == 0:
            raise KeyboardInterrupt
        return quality(settings, rung)

    made: list[int] = []
    for _ in range(200):
        try:
            replace(killed).run(dies)
            break
        except KeyboardInterrupt:
            continue
    assert outcome(killed) == outcome(whole)
    assert len(made) > len(outcome(whole))


def test_tpe_learns_and_finds_better_settings_than_chance(tmp_path: Path) -> None:
    def best(sampler: str) -> float:
        done = ran(tmp_path / sampler, sampler=sampler, trials=63)
        found = done.brackets.best(done.trials(done.journal()))
        assert found is not None
        return found.measured[3].score

    assert best("tpe") > best("random")


def test_the_first_trial_is_the_configured_one_and_reaches_the_last_rung(tmp_path: Path) -> None:
    settings, scores, _ = outcome(ran(tmp_path))[0]
    assert settings == CONFIGURED
    assert set(scores) == {1, 3}


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(tmp_path: Path) -> None:
    first = outcome(ran(tmp_path / "s", trials=18))
    made: list[int] = []

    def counted(settings: dict[str, Any], rung: int) -> TrialScore:
        made.append(rung)
        return quality(settings, rung)

    longer = outcome(ran(tmp_path / "s", counted, trials=27))
    assert longer[:18] == first
    assert longer == outcome(ran(tmp_path / "whole", trials=27))
    assert made.count(1) <= 9  # nothing is measured again
    assert outcome(search(tmp_path / "s", trials=18)) == first  # and the smaller budget still has its own result


def test_settings_that_cannot_be_measured_end_their_trial_alone(tmp_path: Path) -> None:
    def fragile(settings: dict[str, Any], rung: int) -> TrialScore:
        if settings["s.kind"] == "x":
            raise NumericError("the loss is not finite")
        return quality(settings, rung)

    done = ran(tmp_path, fragile)
    for settings, scores, fault in outcome(done):
        assert (fault is not None) == (settings["s.kind"] == "x")
        assert fault is None or (fault == "the loss is not finite" and set(scores) == {1})
    states = {trial.state.name for trial in done.journal().study.get_trials()}
    assert states == {"COMPLETE", "PRUNED", "FAIL"}  # what Optuna's own tools are told


def test_configured_settings_that_cannot_be_measured_end_the_search(tmp_path: Path) -> None:
    def broken(settings: dict[str, Any], rung: int) -> TrialScore:
        raise NumericError("the loss is not finite")

    with pytest.raises(NumericError):
        ran(tmp_path, broken)


def test_equal_settings_are_measured_once(tmp_path: Path) -> None:
    made: list[str] = []

    def counted(settings: dict[str, Any], rung: int) -> TrialScore:
        made.append(json.dumps([settings, rung]))
        return TrialScore(float(settings["s.kind"] == 1.0))

    few = replace(search(tmp_path), space={"s.kind": SPACE["s.kind"]}, configured={"s.kind": None})
    few.run(counted)
    assert len(made) == len(set(made)) <= 6
    assert len(outcome(few)) == 27


def test_configured_settings_outside_of_the_space_are_still_trial_0(tmp_path: Path) -> None:
    outside = replace(search(tmp_path), configured={**CONFIGURED, "s.rate": 100.0})
    outside.run(quality)
    assert outcome(outside)[0][0]["s.rate"] == 100.0
    assert all(0.001 <= settings["s.rate"] <= 10.0 for settings, *_ in outcome(outside)[1:])


def test_a_record_that_was_torn_by_a_kill_is_left_out(tmp_path: Path) -> None:
    whole = outcome(ran(tmp_path / "whole"))
    path = tmp_path / "torn" / "journal.log"
    path.parent.mkdir()
    content = (tmp_path / "whole" / "journal.log").read_bytes()
    lines = content.splitlines(keepends=True)
    for kept in range(1, len(lines), max(len(lines) // 12, 1)):
        path.write_bytes(b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2])
        assert outcome(ran(tmp_path / "torn")) == whole, kept


SHARED = """
import sys, time
from pathlib import Path
from tests.learning.test_trial_search import quality, search

def slow(settings, rung):
    time.sleep(0.02)
    return quality(settings, rung)

search(Path(sys.argv[1])).run(slow)
"""


def started(directory: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", SHARED, str(directory)], cwd=ROOT, env=environment)


def test_processes_that_share_a_search_and_are_killed_find_what_one_finds(tmp_path: Path) -> None:
    whole = outcome(ran(tmp_path / "whole"))
    for records in (3, 40, 90):  # of the journal, when the first one is killed
        directory = tmp_path / f"shared-{records}"
        first, second = started(directory), started(directory)
        journal = directory / "journal.log"
        while not journal.exists() or journal.read_bytes().count(b"\n") < records:
            assert first.poll() is None
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        assert first.wait(PATIENCE) == -signal.SIGKILL
        assert second.wait(PATIENCE) == 0
        assert outcome(search(directory)) == whole
