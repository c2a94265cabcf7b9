"""Commands of the toolkit in processes of their own, whose seconds and memory are those of the step alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from interestrec.core.errors import LockedError, StepError, from_os_error

_PATIENCE = 600.0  # seconds that a step waits for one that a killed replay has left running
_KILOBYTE = 1024  # unit of ru_maxrss on Linux
_LAST_BYTES = 4096  # of the standard error of a step, where its message stands


class StepCost(NamedTuple):
    """What a step took."""

    seconds: float
    memory: int  # bytes, the most that one of its processes used


class StepProcesses:
    """Runs commands, from several threads if need be, and ends those that run with `end`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._ended = False

    def run(self, commands: Sequence[Sequence[str]], log: Path, output: Path | None = None) -> StepCost:
        """Run commands one after the other and return what they took together.

        Args:
            commands: arguments of `interestrec`.
            log: file that standard error is appended to.
            output: file of the standard output; None: it is discarded.

        Raises:
            StepError: a command failed; the message is its own.
            LockedError: another process holds a lock that a command needs.
        """
        seconds, memory = 0.0, 0
        for command in commands:
            cost = self._run_when_free(command, log, output)
            seconds, memory = seconds + cost.seconds, max(memory, cost.memory)
        return StepCost(seconds, memory)

    def end(self) -> None:
        """End the commands that run, and start no others."""
        with self._lock:
            self._ended = True
            for process in self._running:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)

    def _run_when_free(self, command: Sequence[str], log: Path, output: Path | None) -> StepCost:
        """Run a command; one that a killed replay has left running in the same workspace may have to end first."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._run(command, log, output)
            except StepError as error:
                if error.exit_status != LockedError.exit_status:
                    raise
                if time.monotonic() > until:
                    raise LockedError(error.reason) from None
            time.sleep(1.0)

    def _run(self, command: Sequence[str], log: Path, output: Path | None) -> StepCost:
        started = time.monotonic()
        try:
            if output is not None:
                output.unlink(missing_ok=True)  # what a killed replay has left running may still write it
            with log.open("ab") as errors, (output or Path(os.devnull)).open("wb") as target:
                position = errors.tell()
                status, memory = self._wait(self._start(command, errors.fileno(), target.fileno()))
        except OSError as error:
            raise from_os_error(error, log) from error
        if status:
            raise _failure(command[0], status, log, position)
        return StepCost(time.monotonic() - started, memory)

    def _start(self, command: Sequence[str], errors: int, target: int) -> int:
        with self._lock:
            if self._ended:
                raise StepError("the replay was ended", 128 + signal.SIGTERM)
            arguments = [sys.executable, "-m", "interestrec", *command]
            environment = {**os.environ, "INTERESTREC_LOG": "text"}  # its last line is the message of an error
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=target, stderr=errors, env=environment
            )
            process.returncode = 0  # it is waited for below, by `wait4`, which tells what it used
            self._running.add(process.pid)
            return process.pid

    def _wait(self, process: int) -> tuple[int, int]:
        """Wait for a process; return its exit status, negative after a signal, and its memory in bytes."""
        try:
            _, status, usage = os.wait4(process, 0)
        except BaseException:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss * _KILOBYTE


def _failure(command: str, status: int, log: Path, position: int) -> StepError:
    """Return the error of a command from what it has written to its log from a position on."""
    if status < 0:
        reason = f"`interestrec {command}` was ended by {signal.Signals(-status).name}; see {log}, and check the memory"
        return StepError(reason)
    with log.open("rb") as stream:
        stream.seek(max(position, log.stat().st_size - _LAST_BYTES))
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    told = lines[-1].removeprefix("interestrec ") if lines else f"{command}: ended with status {status}"
    return StepError(f"{told} (see {log})", status)
