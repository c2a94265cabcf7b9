"""A tracker that fails costs its figures, and nothing else."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from interestrec.tracking import run_tracking
from interestrec.tracking.run_tracking import RunTracking
from interestrec.tracking.tracker import TrackedRun, TrackerKind

RUN = TrackedRun("finetune", "model", "0123456789abcdef01234567")


class FullDisk:
    """Takes figures up to a step, and fails from then on."""

    def __init__(self, takes: int) -> None:
        self.takes, self.rows, self.closed = takes, dict[tuple[int | None, str], float](), list[bool]()

    def has(self, step: int | None, name: str) -> bool:
        return False

    def log_settings(self, settings: Mapping[str, str]) -> None:
        if not self.takes:
            raise OSError("no space left")

    def log_figures(self, step: int | None, figures: Mapping[str, float]) -> None:
        if step is None or step > self.takes:
            raise OSError("no space left")
        assert not self.rows.keys() & {(step, name) for name in figures}
        self.rows |= {(step, name): value for name, value in figures.items()}

    def close(self, complete: bool) -> None:
        self.closed.append(complete)


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> dict[str, FullDisk]:
    disks = {"full": FullDisk(0), "nearly": FullDisk(2), "good": FullDisk(10**6)}
    registry = {name: TrackerKind("", lambda *_, disk=disk: disk) for name, disk in disks.items()}
    monkeypatch.setattr(run_tracking, "TRACKERS", registry)
    monkeypatch.setattr(run_tracking, "require_installed", lambda names: None)
    return disks


def test_a_tracker_that_fails_is_left_alone_and_its_figures_are_counted(
    tmp_path: Path, disks: dict[str, FullDisk], caplog: pytest.LogCaptureFixture
) -> None:
    run = RunTracking(RUN, list(disks), tmp_path, {})
    with caplog.at_level(logging.WARNING, "interestrec"):
        for step in range(1, 5):
            run.log_figures(step, {"loss": 1.0, "gradient_norm": 2.0})
            run.log_figures(step, {"loss": 1.0})  # once more
        run.record(lambda: [(4, {"loss": 1.0}), (5, {"loss": 3.0})])
    both = {"loss": 1.0, "gradient_norm": 2.0}
    expected = {(step, name): value for step in range(1, 5) for name, value in both.items()}
    assert disks["good"].rows == {**expected, (5, "loss"): 3.0}
    assert disks["nearly"].rows == {key: value for key, value in expected.items() if key[0] <= 2}
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "failed" in line] == [
        "tracking: full failed (no space left); the run goes on without it",
        "tracking: nearly failed (no space left); the run goes on without it",
    ]
    assert [line for line in told if "lacks" in line] == [
        "tracking: full lacks 9 figures; the same command adds them",
        "tracking: nearly lacks 5 figures; the same command adds them",
    ]
    assert {path.parent.name for path in tmp_path.glob("*/*.recorded")} == {"good"}


def test_a_run_that_was_incomplete_is_completed_by_the_next_command(tmp_path: Path, disks: dict[str, FullDisk]) -> None:
    figures = [(step, {"loss": float(step)}) for step in (1, 2, 3)]
    RunTracking(RUN, ["nearly"], tmp_path, {}).record(lambda: figures)
    disks["nearly"].takes, disks["nearly"].rows = 3, {}
    RunTracking(RUN, ["nearly"], tmp_path, {}).record(lambda: figures)
    assert disks["nearly"].rows == {(1, "loss"): 1.0, (2, "loss"): 2.0, (3, "loss"): 3.0}
    assert disks["nearly"].closed == [True, True]


def test_without_trackers_nothing_is_watched_or_read(tmp_path: Path) -> None:
    run = RunTracking(RUN, [], tmp_path, {}, fresh=True)
    assert run.watch() is None
    run.record(lambda: pytest.fail("the figures were asked for"))
    assert not list(tmp_path.iterdir())
