"""One writer an output: who comes second is told who is first, and who dies holds nothing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interestrec.core.errors import CannotCreateError, LockedError
from interestrec.core.locks import claim, held, holder_of

_HOLD = """
import sys, time
from pathlib import Path
from interestrec.core.locks import held
with held(Path("locks/model"), "model") as lock:
    lock.tell("epoch 2: 3 of 9 steps")
    print("begun", flush=True)
    time.sleep(60)
"""


def started(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", _HOLD], cwd=directory, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


def test_the_second_is_refused_at_once_and_told_who_is_first(tmp_path: Path) -> None:
    process, began = started(tmp_path), time.monotonic()
    told = f"workspace/model: process {process.pid} on .*is at work on it"
    with pytest.raises(LockedError, match=told), held(tmp_path / "locks" / "model", "workspace/model"):
        pass
    assert time.monotonic() - began < 1
    found = holder_of(tmp_path / "locks" / "model")
    assert found is not None
    assert (found.pid, found.doing) == (process.pid, "epoch 2: 3 of 9 steps")
    process.kill()
    process.wait()


def test_other_outputs_are_free(tmp_path: Path) -> None:
    with held(tmp_path / "model", "model"), held(tmp_path / "corpus", "corpus"):
        assert (tmp_path / "model").exists()
    assert list(tmp_path.iterdir()) == []


def test_no_lock_outlives_a_kill(tmp_path: Path) -> None:
    for _ in range(20):
        process = started(tmp_path)
        process.kill()
        process.wait()
        assert (tmp_path / "locks" / "model").exists()
        assert holder_of(tmp_path / "locks" / "model") is None
        with held(tmp_path / "locks" / "model", "model"):
            note = json.loads((tmp_path / "locks" / "model").read_bytes())
            assert note["pid"] == os.getpid()
        assert list((tmp_path / "locks").iterdir()) == []


def test_a_file_taken_away_between_opening_and_locking_is_not_the_lock(tmp_path: Path, monkeypatch) -> None:
    opened, path = os.open, tmp_path / "lock"

    def late(*arguments: object, **named: object) -> int:
        descriptor = opened(*arguments, **named)
        monkeypatch.setattr(os, "open", opened)
        path.unlink()  # as its holder does when it is done, just now
        return descriptor

    monkeypatch.setattr(os, "open", late)
    descriptor = claim(path)
    assert descriptor is not None
    assert path.exists()
    assert claim(path) is None
    os.close(descriptor)


def test_a_note_that_does_not_come_is_waited_for_shortly(tmp_path: Path) -> None:
    descriptor = claim(tmp_path / "lock")
    assert descriptor is not None
    with pytest.raises(LockedError, match="another process is at work"), held(tmp_path / "lock", "model"):
        pass
    os.close(descriptor)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotCreateError, match="cannot create the directory"), held(tmp_path / "file" / "lock", "x"):
        pass
