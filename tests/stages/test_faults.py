"""Stages whose every call to the operating system fails once: the status says so, and what was there is untouched."""

import errno
import os
from pathlib import Path
from types import ModuleType

import pytest

from interestrec.core.errors import InterestrecError
from interestrec.io.locks import lock_holder
from interestrec.stages import evaluate, preprocess
from interestrec.stages.run import RunContext
from tests.faults import faults
from tests.stages.reports import by_hand
from tests.stages.test_full_disk import content, debris
from tests.stages.test_preprocess import load_settings, shop

pytestmark = pytest.mark.slow

__all__ = ["shop"]  # a fixture
ERRORS: list[tuple[BaseException, set[int]]] = [
    (OSError(errno.ENOSPC, "No space left on device"), {73, 74}),
    (OSError(errno.EIO, "Input/output error"), {73, 74}),
    (InterruptedError(errno.EINTR, "Interrupted system call"), {73, 74}),
    (MemoryError(), set()),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call waits for a disk; that each is made is another test's to see."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def every_call_fails(stage: ModuleType, context: RunContext, kind: str) -> None:
    """Build again and again, each time with another call failing, each call with one of the errors."""
    workspace = context.settings.workspace
    first = stage.run(context).artifact.path
    wanted = content(first)
    forced = RunContext(context.settings, force=True)
    with faults(workspace) as counted:
        stage.run(forced)
    assert counted.count > 40
    for at in range(1, counted.count + 1):
        error, statuses = ERRORS[at % len(ERRORS)]
        with faults(workspace, at, error):
            try:
                stage.run(forced)
            except InterestrecError as told:
                assert told.exit_status in statuses, (at, told)
            except MemoryError:
                assert not statuses
        assert (workspace / kind).resolve() == first
        assert content(first) == wanted
        stage.run(context)
        # Where the last call of all failed, the lock's file is still there, but nobody holds it.
        assert [path for path in debris(workspace) if path.parent.name != "locks" or lock_holder(path)] == []


def test_preprocess(shop: Path) -> None:
    every_call_fails(preprocess, RunContext(load_settings(shop / "shop.yaml")), "corpus")


def test_evaluate(tmp_path: Path) -> None:
    every_call_fails(evaluate, by_hand(tmp_path), "report")
