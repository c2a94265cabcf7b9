"""A process that runs commands one after another and tells how each ended, what it printed, and what it took.

A command is a line of JSON, the arguments; so is the answer. One process for many commands, since TensorFlow is
imported once; and a process of its own, since only so the memory that a command takes can be told from the tests'.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.processes import PATIENCE

_MOST_WORK = 60  # seconds of the processor, however busy it is with others, until a command counts as hung
_MOST = 6 << 30  # bytes; four times what a command may take
_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak() -> int:
    """Most bytes that were in memory at once since `forget_peak`."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def forget_peak() -> None:
    """Begin to measure anew."""
    _FORGET.write_text("5")


def run(arguments: list[str]) -> int:
    """The exit status of one command, 70 with a traceback where it raises."""
    from interestrec.cli import app

    try:
        app.app(arguments)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def answer(arguments: list[str]) -> dict[str, Any]:
    """Run a command with its output in a file."""
    saved = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as output:
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
        forget_peak()
        signal.setitimer(signal.ITIMER_PROF, _MOST_WORK)
        signal.alarm(PATIENCE)
        try:
            status = run(arguments)
        finally:
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
        output.seek(0)
        said = output.read().decode(errors="replace")
    return {"status": status, "said": said, "bytes": peak()}


def _too_long(*_: object) -> None:
    raise TimeoutError("the command hangs")


def main() -> None:
    """Answer until there is nothing more to read."""
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _too_long)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST, _MOST))  # a test that fails must not take the machine with it
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TRANSFORMERS_VERBOSITY": "error", "KERAS_BACKEND": "tensorflow"}
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
