"""Services that `bench.py serve` starts: when they are ready, what they use, and how they end."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

_START_SECONDS = 300
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_INPUTS = ("corpus", "encoder", "model", "cache")


def make_workspace(source: Path, to: Path) -> Path:
    """Make a workspace with links to the artifacts of another one, so that the benchmark changes nothing there."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for name in _INPUTS:
        if (source / name).exists():
            (to / name).symlink_to((source / name).resolve())
    if (source / "feedback").exists():
        shutil.copytree(source / "feedback", to / "feedback")  # a decision counts the records that it has read
    link_decision(to, (source / "decision").resolve(strict=True))
    return to


def link_decision(workspace: Path, decision: Path) -> None:
    """Make a decision the current one, atomically."""
    partial = workspace / "decision.partial"
    partial.symlink_to(decision)
    partial.replace(workspace / "decision")


def post(url: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send one request; return status, 0 if nobody answers, and answer."""
    sent = urllib.request.Request(
        url + request["path"], json.dumps(request["body"]).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(sent, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


class ServedProcess:
    """A service on a free port of this machine."""

    def __init__(self, command: Sequence[str], log: Path, first: dict[str, Any]) -> None:
        """Start the service and wait until it answers.

        Args:
            log: file that the service's standard error is appended to; a line of it names the address.
            first: request whose answer ends the start.
        """
        started, end = time.monotonic(), log.stat().st_size if log.exists() else 0
        with log.open("a") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file)
        while (address := _ADDRESS.search(log.read_text()[end:])) is None:
            if self._process.poll() is not None or time.monotonic() - started > _START_SECONDS:
                sys.exit(f"{' '.join(command)} did not start; see {log}")
            time.sleep(0.01)
        self.url = address[0]
        while post(self.url, first)[0] != 200:
            if time.monotonic() - started > _START_SECONDS:
                sys.exit(f"{' '.join(command)} does not answer; see {log}")
            time.sleep(0.01)
        self.start_seconds = round(time.monotonic() - started, 2)

    def usage(self) -> dict[str, float]:
        """Return processor seconds and resident MiB of the service and its processes; shared pages count in each."""
        root = psutil.Process(self._process.pid)
        times = [(process.cpu_times(), process.memory_info()) for process in [root, *root.children(recursive=True)]]
        return {
            "cpu_seconds": round(sum(cpu.user + cpu.system for cpu, _ in times), 2),
            "memory_mib": round(sum(memory.rss for _, memory in times) / 2**20),
        }

    def kill_scoring_process(self) -> None:
        """Kill the oldest of the processes that make lists."""
        children = psutil.Process(self._process.pid).children()
        min((child for child in children if "--requests" in child.cmdline()), key=psutil.Process.create_time).kill()

    def decision(self) -> str | None:
        """Return the digest of the decision in use, None while no process is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=60) as response:
                return json.load(response)["decision"]
        except urllib.error.HTTPError:
            return None

    def kill(self) -> None:
        """End the service at once."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> dict[str, float]:
        """End the service by a signal; return its exit status and the seconds that it took."""
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=_START_SECONDS)
        return {"status": status, "stop_seconds": round(time.monotonic() - started, 2)}
