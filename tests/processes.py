"""Processes that a test sends signals to."""

import signal
import subprocess
import sys
from pathlib import Path

PATIENCE = 600  # seconds until a process counts as hung; no test measures anything by it


def begun(script: str, cwd: Path, says: str = "begun") -> subprocess.Popen[str]:
    """A Python process that has printed a line and goes on."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts its background jobs with the signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{says}\n"
    return process
