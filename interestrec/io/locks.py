"""One writer for an output: a lock of the kernel, which ends with its holder, and a note of who that is.

The lock is `flock` on a file, and what the file says is for people and for `interestrec status` alone. A process that
is killed leaves the file but holds nothing any more, so there is never a lock to clear by hand.
"""

import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from interestrec.core.errors import CannotCreateError, LockedError, from_os_error

_LONGEST_NOTE = 4096  # bytes; a note is written and read in one call
_TRIES, _BETWEEN_TRIES = 3, 0.02  # seconds
_WAIT_FOR_NOTE = 0.3  # seconds: a holder writes its note just after it has the lock


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock."""

    pid: int
    host: str
    command: str
    since: str  # ISO 8601, UTC
    doing: str = ""  # how far it is, such as `epoch 2: 130 of 400 steps`

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (`{self.command}`, since {self.since})"


class FileLock:
    """A lock that is held."""

    def __init__(self, descriptor: int, holder: LockHolder) -> None:
        self._descriptor, self._holder = descriptor, holder
        self._write()

    def tell(self, doing: str) -> None:
        """Say how far the work is."""
        self._holder = replace(self._holder, doing=doing)
        self._write()

    def _write(self) -> None:
        note = json.dumps(asdict(self._holder)).encode()
        if len(note) <= _LONGEST_NOTE:
            os.pwrite(self._descriptor, note.ljust(_LONGEST_NOTE), 0)


def try_lock(path: Path) -> int | None:
    """A descriptor of the file at `path`, made where there is none, that holds its lock; None when another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # whoever held it before took the file away


@contextmanager
def locked(path: Path, what: str) -> Iterator[FileLock]:
    """Hold the lock at `path`; `what` it stands for is named to those who come too late.

    Raises:
        LockedError: another process holds it; the message names that process.
        CannotCreateError: the lock's directory cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot create the directory ({error.strerror}); check `workspace`"
        raise CannotCreateError(f"{path.parent}: {reason}") from error
    descriptor = _claimed(path)
    if descriptor is None:
        at_work = _awaited(path) or "another process"
        raise LockedError(f"{what}: {at_work} is at work on it; wait for it to end, then run again")
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            lock = FileLock(descriptor, LockHolder(os.getpid(), socket.gethostname(), _command(), since))
        except OSError as error:
            raise from_os_error(error, path) from error
        yield lock
    finally:
        try:
            path.unlink(missing_ok=True)  # nobody else does while it is held
        except OSError:
            pass  # it is free all the same
        finally:
            os.close(descriptor)


def _claimed(path: Path) -> int | None:
    """As `claim`, tried a few times: who only asks who the holder is, has the lock for an instant."""
    for _ in range(_TRIES):
        try:
            descriptor = try_lock(path)
        except OSError as error:
            raise from_os_error(error, path) from error
        if descriptor is not None:
            return descriptor
        time.sleep(_BETWEEN_TRIES)
    return None


def lock_holder(path: Path) -> LockHolder | None:
    """Who holds the lock at `path`, None when nobody does; takes nothing and makes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _awaited(path) or LockHolder(0, "unknown", "unknown", "unknown")
    finally:
        os.close(descriptor)
    return None


def _awaited(path: Path) -> LockHolder | None:
    """What the note says, as soon as it says something."""
    until = time.monotonic() + _WAIT_FOR_NOTE
    while True:
        with suppress(OSError, ValueError, TypeError):
            return LockHolder(**json.loads(path.read_bytes()))
        if time.monotonic() > until:
            return None
        time.sleep(0.02)


def _command() -> str:
    name = Path(sys.argv[0]).name
    return shlex.join(["interestrec" if name == "__main__.py" else name, *sys.argv[1:]])
