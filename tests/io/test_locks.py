"""One writer an output: who comes second is told who is first, and who dies holds nothing."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from interestrec.core.errors import CannotCreateError, LockedError, StorageError
from interestrec.io import locks
from interestrec.io.locks import LockHolder, hold_lock, lock_holder, try_lock
from tests.processes import begun

_HOLD = """
import sys, time
from pathlib import Path
from interestrec.io.locks import hold_lock
with hold_lock(Path("locks/model"), "model") as lock:
    lock.record_progress("epoch 2: 3 of 9 steps")
    print("begun", flush=True)
    time.sleep(60)
"""


class Clock:
    """In place of the module `time`: no waiting, but at the end of the n-th wait something may happen."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.events: dict[int, Callable[[], object]] = {}

    def monotonic(self) -> float:
        """Seconds waited so far."""
        return sum(self.waits)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.waits.append(seconds)
        self.events.get(len(self.waits), lambda: None)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(locks, "time", clock)
    return clock


def started(directory: Path) -> subprocess.Popen[str]:
    return begun(_HOLD, directory)


def test_the_second_is_refused_at_once_and_told_who_is_first(tmp_path: Path, clock: Clock) -> None:
    process = started(tmp_path)
    told = f"workspace/model: process {process.pid} on .*is writing it"
    with pytest.raises(LockedError, match=told), hold_lock(tmp_path / "locks" / "model", "workspace/model"):
        pass
    assert len(clock.waits) == 3  # for those who only look who the holder is
    assert sum(clock.waits) < 0.1
    found = lock_holder(tmp_path / "locks" / "model")
    assert found is not None
    assert (found.pid, found.doing) == (process.pid, "epoch 2: 3 of 9 steps")
    process.kill()
    process.wait()


def test_within_one_process_too_and_the_note_tells_who_since_when_and_how_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py", "run", "--config", "my news.yaml"])
    path, before = tmp_path / "a" / "b" / "lock", datetime.now(UTC).replace(microsecond=0)
    for _ in range(2):
        with hold_lock(path, "model") as lock:
            found = lock_holder(path)
            assert found == LockHolder(
                os.getpid(), socket.gethostname(), "interestrec run --config 'my news.yaml'", found.since
            )
            assert before <= datetime.fromisoformat(found.since) <= datetime.now(UTC)
            lock.record_progress("half way")
            assert lock_holder(path) == replace(found, doing="half way")
            lock.record_progress("x" * 5000)  # longer than a note can be
            assert lock_holder(path) == replace(found, doing="half way")
            assert path.stat().st_size == 4096
        assert lock_holder(path) is None
    monkeypatch.setattr(sys, "argv", ["/bin/interestrec"])
    with hold_lock(path, "model"):
        assert lock_holder(path).command == "interestrec"  # type: ignore[union-attr]


def test_a_lock_is_its_owner_s_alone_to_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with hold_lock(tmp_path / "lock", "model"):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.fixture
def no_leak() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.usefixtures("no_leak")
def test_whatever_fails_no_descriptor_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    with hold_lock(path, "model"), pytest.raises(LockedError, match="model: process"), hold_lock(path, "model"):
        pass
    for owner, name in ((fcntl, "flock"), (os, "pwrite")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, failing)
            with pytest.raises(StorageError, match="lock: Input/output error"), hold_lock(path, "model"):
                pass
        with hold_lock(path, "model"):
            pass
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        with hold_lock(path, "model"):
            pass
    assert lock_holder(path) is None
    with pytest.raises(RuntimeError), hold_lock(path, "model"):
        raise RuntimeError
    with pytest.raises(OSError, match="of the work"), hold_lock(path, "model"):
        raise OSError("of the work")


def failing(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("waits", [1, 2])
def test_a_look_at_the_holder_does_not_keep_others_out(tmp_path: Path, clock: Clock, waits: int) -> None:
    path = tmp_path / "lock"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    clock.events[waits] = lambda: os.close(looking)
    with hold_lock(path, "model"):
        pass
    assert len(clock.waits) == waits


def test_a_note_that_comes_late_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "lock"
    descriptor = try_lock(path)
    assert descriptor is not None
    assert lock_holder(path) == LockHolder(0, "unknown", "unknown", "unknown")
    note = {"pid": 7, "host": "h", "command": "c", "since": "s", "doing": "d"}
    clock.waits.clear()
    clock.events[5] = lambda: os.pwrite(descriptor, json.dumps(note).encode(), 0)
    assert lock_holder(path) == LockHolder(7, "h", "c", "s", "d")
    assert len(clock.waits) == 5  # it is read as soon as it is there
    os.close(descriptor)


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "lock") is None
    assert list(tmp_path.iterdir()) == []


def test_other_outputs_are_free(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "model", "model"), hold_lock(tmp_path / "corpus", "corpus"):
        assert (tmp_path / "model").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_no_lock_outlives_a_kill(tmp_path: Path) -> None:
    for _ in range(20):
        process = started(tmp_path)
        process.kill()
        process.wait()
        assert (tmp_path / "locks" / "model").exists()
        assert lock_holder(tmp_path / "locks" / "model") is None
        with hold_lock(tmp_path / "locks" / "model", "model"):
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
    descriptor = try_lock(path)
    assert descriptor is not None
    assert path.exists()
    assert try_lock(path) is None
    os.close(descriptor)


def test_a_note_that_does_not_come_is_waited_for_shortly(tmp_path: Path, clock: Clock) -> None:
    descriptor = try_lock(tmp_path / "lock")
    assert descriptor is not None
    with pytest.raises(LockedError, match="another process is writing"), hold_lock(tmp_path / "lock", "model"):
        pass
    assert 0.3 < sum(clock.waits) < 0.5
    os.close(descriptor)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CannotCreateError, match="cannot create the directory"),
        hold_lock(tmp_path / "file" / "lock", "x"),
    ):
        pass
