"""One writer per output: `flock` with owner metadata.

The kernel releases the lock when its holder ends, so a killed process leaves a file but no lock, and no lock is ever
cleared by hand. The file's content, the owner metadata, is only for messages and `interestrec status`.
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

_METADATA_BYTES = 4096  # written and read in one call
_ATTEMPTS, _RETRY_SECONDS = 3, 0.02
_METADATA_TIMEOUT = 0.3  # seconds; a holder writes its metadata just after it gets the lock


@dataclass(frozen=True)
class LockHolder:
    """Owner metadata of a lock."""

    pid: int
    host: str
    command: str
    since: str  # ISO 8601, UTC
    doing: str = ""  # progress, such as `epoch 2: 130 of 400 steps`

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (`{self.command}`, since {self.since})"


class FileLock:
    """A lock held by this process."""

    def __init__(self, descriptor: int, holder: LockHolder) -> None:
        self._descriptor, self._holder = descriptor, holder
        self._write()

    def record_progress(self, progress: str) -> None:
        """Write the progress of the work into the owner metadata."""
        self._holder = replace(self._holder, doing=progress)
        self._write()

    def _write(self) -> None:
        metadata = json.dumps(asdict(self._holder)).encode()
        if len(metadata) <= _METADATA_BYTES:
            os.pwrite(self._descriptor, metadata.ljust(_METADATA_BYTES), 0)


def try_lock(path: Path) -> int | None:
    """Lock the file at `path`, which is created if necessary, and return its descriptor; None if the lock is taken."""
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
        os.close(descriptor)  # the previous holder deleted the file


@contextmanager
def hold_lock(path: Path, output: str) -> Iterator[FileLock]:
    """Hold the lock at `path` within the block.

    Args:
        output: name of the locked output, for messages.

    Raises:
        LockedError: another process holds the lock; the message names that process.
        CannotCreateError: the lock's directory cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot create the directory ({error.strerror}); check `workspace`"
        raise CannotCreateError(f"{path.parent}: {reason}") from error
    descriptor = _lock_with_retries(path)
    if descriptor is None:
        holder = _read_holder(path) or "another process"
        raise LockedError(f"{output}: {holder} is writing it; wait until that process ends, then run again")
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            lock = FileLock(descriptor, LockHolder(os.getpid(), socket.gethostname(), _command(), since))
        except OSError as error:
            raise from_os_error(error, path) from error
        yield lock
    finally:
        try:
            path.unlink(missing_ok=True)  # only the holder deletes the file
        except OSError:
            pass  # closing the descriptor releases the lock in any case
        finally:
            os.close(descriptor)


def _lock_with_retries(path: Path) -> int | None:
    """Call `try_lock` a few times, because `lock_holder` takes the lock for an instant."""
    for _ in range(_ATTEMPTS):
        try:
            descriptor = try_lock(path)
        except OSError as error:
            raise from_os_error(error, path) from error
        if descriptor is not None:
            return descriptor
        time.sleep(_RETRY_SECONDS)
    return None


def lock_holder(path: Path) -> LockHolder | None:
    """Return the holder of the lock at `path`, None if it is free; creates no file and keeps no lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(path) or LockHolder(0, "unknown", "unknown", "unknown")
    finally:
        os.close(descriptor)
    return None


def _read_holder(path: Path) -> LockHolder | None:
    """Wait for the owner metadata and return it; None at the timeout."""
    deadline = time.monotonic() + _METADATA_TIMEOUT
    while True:
        with suppress(OSError, ValueError, TypeError):
            return LockHolder(**json.loads(path.read_bytes()))
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)


def _command() -> str:
    name = Path(sys.argv[0]).name
    return shlex.join(["interestrec" if name == "__main__.py" else name, *sys.argv[1:]])
