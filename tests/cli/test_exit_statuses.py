"""Every exit status is documented, and met by a real process wherever it can be."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interestrec.cli import console
from interestrec.cli.output_schema import STATUSES
from interestrec.core import errors
from tests.cli.test_app import CONFIG, interestrec
from tests.documents import one_document
from tests.processes import PATIENCE, begun

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_documented_statuses_are_those_there_are() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert {int(status): meaning for status, meaning in rows} == STATUSES
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert {kind.exit_status for kind in kinds} <= set(STATUSES)


def _nothing(directory: Path) -> None:
    """All is well."""


def _bad_data(directory: Path) -> None:
    (directory / "clicks.csv").write_text("user,item\n1,2\n")  # no time
    (directory / "items.csv").write_text("item,title\n2,storm\n")


def _in_the_way(directory: Path) -> None:
    (directory / "there.yaml").write_text("")


CASES: dict[int, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    0: (("config", "show"), _nothing),
    2: (("finetune", "--folds", "1"), _nothing),
    65: (("preprocess",), _bad_data),
    66: (("preprocess",), _nothing),
    73: (("init", "news", "--to", "there.yaml"), _in_the_way),
    78: (("config", "show", "--set", "finetune.epoch=3"), _nothing),
}


@pytest.mark.parametrize("status", CASES)
def test_a_process_ends_with_it(status: int, tmp_path: Path, tiny_encoder: Path) -> None:
    command, prepare = CASES[status]
    (tmp_path / "interestrec.yaml").write_text(CONFIG.replace("source: encoder", f"source: {tiny_encoder}"))
    prepare(tmp_path)
    outcome = interestrec(*command, "--json", cwd=tmp_path)
    assert outcome.returncode == status, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert bool(outcome.stderr) == bool(status)
    assert one_document(outcome.stdout).get("exit_status", 0) == status


def on_a_full_device(stream: str, command: list[str], cwd: Path) -> tuple[int, str]:
    """The exit status of a command one of whose streams cannot be written, and what it wrote to the other one.

    Its environment is nearly empty: PYTHONUNBUFFERED=1, for one, hides what fails when a stream is flushed at exit.
    """
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        outcome = subprocess.run(command, cwd=cwd, env=environment, text=True, check=False, **streams)
    return outcome.returncode, outcome.stderr if stream == "stdout" else outcome.stdout


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("status", CASES)
def test_a_full_device_changes_no_status_but_that_of_success(
    status: int, as_json: bool, stream: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    arguments, prepare = CASES[status]
    (tmp_path / "interestrec.yaml").write_text(CONFIG.replace("source: encoder", f"source: {tiny_encoder}"))
    prepare(tmp_path)
    command = [sys.executable, "-m", "interestrec", *arguments, *(["--json"] if as_json else [])]
    ended, told = on_a_full_device(stream, command, tmp_path)
    results_lost = stream == "stdout" and not status
    assert ended == (74 if results_lost else status), told
    assert "Traceback" not in told
    if stream == "stdout":
        assert ("standard output: No space left on device" in told) == (as_json or results_lost)
    elif as_json:
        assert one_document(told).get("exit_status", 0) == status


_ENDING = """
import logging, os, signal, sys, types, warnings
from interestrec import pipeline
from interestrec.cli import app as cli
from interestrec.core import errors

def stage(context):
    logging.getLogger("interestrec").info("begun")
    warnings.warn("odd")
    print("half a line", end="", file=sys.stderr)
    {end}

sys.modules["stand_in"] = types.SimpleNamespace(run=stage)
pipeline.STAGES["preprocess"] = "stand_in"
sys.argv = ["interestrec", "preprocess", "--json"]
cli.main()
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("status", "end"),
    [
        (1, "raise errors.GateError(('auc is 0.5, required is > 0.6',), {})"),
        (69, "raise errors.DeviceError('no GPU')"),
        (70, "raise RuntimeError('odd')"),
        (74, "raise errors.StorageError('disk full')"),
        (75, "raise errors.LockedError('process 7 is at work')"),
        (77, "raise errors.from_os_error(PermissionError(13, 'Permission denied'), 'clicks.csv')"),
        (130, "os.kill(os.getpid(), signal.SIGINT)"),
        (143, "os.kill(os.getpid(), signal.SIGTERM)"),
    ],
)
def test_a_full_device_changes_no_status_of_a_stage(status: int, end: str, stream: str, tmp_path: Path) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    ended, told = on_a_full_device(stream, [sys.executable, "-c", _ENDING.format(end=end)], tmp_path)
    assert ended == status, told
    if stream == "stderr":
        assert one_document(told)["exit_status"] == status


_BEFORE = """
import sys
from interestrec.cli import app as cli, stage_commands

def session(*_, **__):
    raise RuntimeError("odd")

stage_commands.session = session
sys.argv = ["interestrec", "preprocess", *{arguments}]
cli.main()
"""


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_bug_before_a_session_begins_is_70(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BEFORE.format(arguments=arguments)]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.returncode == 70
    assert "RuntimeError: odd" in outcome.stderr
    assert outcome.stderr.splitlines()[-1] == "interestrec: internal error; please report it with the lines above"
    if arguments:
        assert one_document(outcome.stdout)["exit_status"] == 70
    assert on_a_full_device("stderr", command, tmp_path)[0] == 70


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_device_and_help(arguments: list[str], stream: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "interestrec", *arguments]
    ended, _ = on_a_full_device(stream, command, tmp_path)
    assert ended == (2 if not arguments else 74 if stream == "stdout" else 0)


def test_a_device_that_is_not_there_is_69() -> None:
    code = """
from interestrec.cli.console import session
with session("finetune", True, True):
    from interestrec.training.device import prepare
    prepare("gpu", 1, 1)
"""
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if outcome.returncode == 0:
        pytest.skip("this machine has a GPU")
    assert outcome.returncode == one_document(outcome.stdout)["exit_status"] == 69
    assert "interestrec[gpu]" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.GateError(("auc is 0.5, required is > 0.6",), {}), 1),
        (errors.NumericError("the loss became NaN"), 70),
        (errors.StorageError("disk full"), 74),
        (errors.from_os_error(OSError(28, "No space left on device"), "model"), 74),
        (errors.PeerLostError("another worker is gone"), 75),
        (errors.LockedError("process 7 is at work"), 75),
        (errors.from_os_error(PermissionError(13, "Permission denied"), "clicks.csv"), 77),
        (errors.CannotCreateError("workspace: not writable"), 73),
    ],
)
def test_an_error_ends_a_command_with_its_status(
    error: errors.InterestrecError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, console.session("finetune", True, False):
        raise error
    assert ended.value.code == status
    told = capsys.readouterr()
    assert told.err == f"interestrec finetune: {error}\n"
    assert one_document(told.out)["exit_status"] == status


@pytest.mark.parametrize("log", ["text", "json"])
def test_a_bug_of_ours_is_70_and_keeps_its_traceback(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, console.session("finetune", True, False, log):  # type: ignore[arg-type]
        raise RuntimeError("odd")
    assert ended.value.code == 70
    told = capsys.readouterr()
    assert one_document(told.out)["exit_status"] == 70
    said = json.loads(told.err)["message"] if log == "json" else told.err
    assert "Traceback (most recent call last)" in said
    assert "RuntimeError: odd" in said
    assert "internal error; please report it" in said


_AT_WORK = """
import sys, time, types
from interestrec import pipeline
from interestrec.cli import app

def stage(context):
    print("at work", flush=True)
    time.sleep(60)

sys.modules["stand_in"] = types.SimpleNamespace(run=stage)
pipeline.STAGES["preprocess"] = "stand_in"
sys.argv = ["interestrec", "preprocess"]
app.main()
"""


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_to_a_stage_ends_it_with_its_status(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    (tmp_path / "interestrec.yaml").write_text(CONFIG)
    process = begun(_AT_WORK, tmp_path, says="at work")
    process.send_signal(sent)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert said == f"interestrec preprocess: interrupted by {sent.name}\n"
