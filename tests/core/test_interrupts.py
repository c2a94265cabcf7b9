"""Signals: at once where nothing is lost, at the next safe point in training, by force where neither comes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interestrec.core import interrupts
from tests.processes import PATIENCE, begun

pytestmark = pytest.mark.slow

_BUILDING = """
import sys, time
from pathlib import Path
from interestrec.cli.console import session
from interestrec.core import interrupts
from interestrec.workspace.artifacts import Recipe, exclusive_writer, staged_version

interrupts.install()
recipe = Recipe("corpus", {{}}, {{}}, 1)
with session("preprocess", as_json=False, quiet=False):
    with exclusive_writer(Path("workspace"), recipe), staged_version(Path("workspace"), recipe) as partial:
        (partial / "half").write_text("x")
        {work}
"""
_LONG = 2 * PATIENCE
_SLEEPING = f'print("begun", flush=True); time.sleep({_LONG})'
_STEPS = """
        with interrupts.deferred():
            print("begun", flush=True)
            while True:
                time.sleep(0.01)
                requested = interrupts.requested()
                Path("saved").write_text(str(requested))
                if requested:
                    interrupts.check()
"""
_DEAF = f"""
        with interrupts.deferred():
            print("begun", flush=True)
            while not interrupts.requested():
                time.sleep(0.01)
            print("requested", flush=True)
            time.sleep({_LONG})
"""


def started(tmp_path: Path, work: str, grace: float = _LONG) -> subprocess.Popen[str]:
    """A process at that work, which is ended so many seconds after the first signal."""
    script = _BUILDING.format(work=work).replace(
        "interrupts.install", f"interrupts._GRACE_SECONDS = {grace}; interrupts.install"
    )
    return begun(script, tmp_path)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_half_version(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    process = started(tmp_path, _SLEEPING)
    assert list(tmp_path.rglob("half"))
    process.send_signal(sent)
    _, messages = process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert f"interrupted by {sent.name}" in messages and "Traceback" not in messages
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_training_reaches_a_safe_point_first(tmp_path: Path) -> None:
    process = started(tmp_path, _STEPS)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    assert (tmp_path / "saved").read_text() == "True"


def test_the_second_signal_ends_it_at_once_and_the_next_run_sweeps(tmp_path: Path) -> None:
    process = started(tmp_path, _DEAF)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "requested\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130  # neither the point nor the end of the grace comes so soon
    assert list(tmp_path.rglob("half"))
    again = started(tmp_path, _SLEEPING)
    assert len(list(tmp_path.rglob("half"))) == 1
    again.send_signal(signal.SIGTERM)
    assert again.wait(PATIENCE) == 143
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_point_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    process = started(tmp_path, _DEAF, grace=0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    assert list(tmp_path.rglob("half"))
    assert interrupts._GRACE_SECONDS < 10  # seconds, as docs/operations.md says


_EARLY = """
import os, signal
from interestrec.cli import app, stage_commands
stage_commands.session = lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
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
            while not interrupts.requested():
                time.sleep(0.01)
        Path("went on").touch()
"""


def test_a_signal_after_the_last_safe_point_is_not_lost(tmp_path: Path) -> None:
    process = started(tmp_path, _LAST)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
    assert not (tmp_path / "went on").exists()


def test_a_sigint_that_was_ignored_stays_so(tmp_path: Path) -> None:
    script = _BUILDING.format(work=_SLEEPING).replace(
        "interrupts.install()", "import signal; signal.signal(2, signal.SIG_IGN); interrupts.install()"
    )
    process = begun(script, tmp_path)
    process.send_signal(signal.SIGINT)  # of two that wait, the lower number would be delivered first
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143
