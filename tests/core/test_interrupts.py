"""Signals: at once where nothing is lost, at the next safe point in training, by force where neither comes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import begun

_BUILDING = """
import sys, time
from pathlib import Path
from interestrec.console import session
from interestrec.core import interrupts
from interestrec.workspace.artifacts import Recipe, building, writing

interrupts.install()
recipe = Recipe("corpus", {{}}, {{}}, 1)
with session("preprocess", as_json=False, quiet=False):
    with writing(Path("workspace"), recipe), building(Path("workspace"), recipe) as partial:
        (partial / "half").write_text("x")
        {work}
"""
_SLEEPING = 'print("begun", flush=True); time.sleep(60)'
_STEPS = """
        with interrupts.deferred():
            print("begun", flush=True)
            for step in range(100):
                time.sleep(0.3)
                Path("saved").write_text(str(interrupts.requested()))
                interrupts.check()
"""
_DEAF = """
        with interrupts.deferred():
            print("begun", flush=True)
            time.sleep(60)
"""


def started(tmp_path: Path, work: str) -> subprocess.Popen[str]:
    return begun(_BUILDING.format(work=work), tmp_path)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_half_version(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    process = started(tmp_path, _SLEEPING)
    assert list(tmp_path.rglob("half"))
    process.send_signal(sent)
    _, told = process.communicate(timeout=5)
    assert process.returncode == status
    assert f"interrupted by {sent.name}" in told and "Traceback" not in told
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_training_reaches_a_safe_point_first(tmp_path: Path) -> None:
    process = started(tmp_path, _STEPS)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
    assert (tmp_path / "saved").read_text() == "True"


def test_the_second_signal_ends_it_at_once_and_the_next_run_sweeps(tmp_path: Path) -> None:
    process = started(tmp_path, _DEAF)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.wait(5) == 130
    assert time.monotonic() - began < 1
    assert list(tmp_path.rglob("half"))
    again = started(tmp_path, _SLEEPING)
    assert len(list(tmp_path.rglob("half"))) == 1
    again.send_signal(signal.SIGTERM)
    assert again.wait(5) == 143
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_point_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    process = started(tmp_path, _DEAF)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(12) == 143
    assert 5 < time.monotonic() - began < 10


_EARLY = """
import os, signal
from interestrec.cli import app
app.session = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
app.main()
"""


def test_a_signal_before_the_command_has_begun(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", _EARLY, "preprocess"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (143, "", "")


_LAST = """
        with interrupts.deferred():
            print("begun", flush=True)
            time.sleep(1)
        Path("went on").touch()
"""


def test_a_signal_after_the_last_safe_point_is_not_lost(tmp_path: Path) -> None:
    process = started(tmp_path, _LAST)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
    assert not (tmp_path / "went on").exists()


def test_a_sigint_that_was_ignored_stays_so(tmp_path: Path) -> None:
    script = _BUILDING.format(work=_SLEEPING).replace(
        "interrupts.install()", "import signal; signal.signal(2, signal.SIG_IGN); interrupts.install()"
    )
    process = begun(script, tmp_path)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 143
