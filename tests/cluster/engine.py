"""A scheduler and workers as processes of their own, which tests kill, and a placement within the process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interestrec.cluster.task_messages import raise_error, task_head
from interestrec.cluster.worker_tasks import encoded, perform, release_memory
from interestrec.stages.placed_work import PlacedPart
from interestrec.stages.run import RunContext

REPOSITORY = Path(__file__).parents[2]
CELLS = 200  # requests × items of a block, so that small logs have several
_WORKER = f"""
import sys
from interestrec.scorers import requests
requests._CELLS = {CELLS}
from distributed.cli.dask_worker import main
main(sys.argv[1:])
"""
_SILENT = {"DASK_LOGGING__DISTRIBUTED": "critical"}


class Engine:
    """A scheduler on a port of its own, and workers without a nanny: whoever is killed stays away."""

    def __init__(self, directory: Path, workers: int) -> None:
        self.directory = directory
        self.workers: list[subprocess.Popen[bytes]] = []
        try:
            self.start_scheduler()
            for _ in range(workers):
                self.start_worker()
        except BaseException:
            self.close()
            raise

    def start_scheduler(self, port: str = "0") -> None:
        known = self.directory / "scheduler.json"
        known.unlink(missing_ok=True)
        options = ["--host", "tcp://127.0.0.1", "--port", port, "--no-dashboard", "--scheduler-file", str(known)]
        self.scheduler = self._process(["-m", "distributed.cli.dask_scheduler", *options])
        while not known.exists() or not known.read_text().rstrip().endswith("}"):
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address = json.loads(known.read_text())["address"]

    def start_worker(self) -> None:
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.directory)]
        self.workers.append(self._process(["-c", _WORKER, self.address, *options]))

    def replace_worker(self, number: int) -> None:
        """Kill a worker at once, and start another one."""
        process = self.workers.pop(number % len(self.workers))
        process.kill()
        process.wait()
        self.start_worker()

    def close(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _process(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **_SILENT, "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


class WithinProcess:
    """Makes parts as a worker does, one after the other and by the same messages, without an engine."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def workers(self) -> int:
        return 1

    def results(self, task: str, context: RunContext, parts: Sequence[PlacedPart]) -> Iterator[Mapping[str, Any]]:
        umask, environment = os.umask(0o077), dict(os.environ)
        try:
            for part in parts:
                self.messages.append(encoded(task, task_head(context), part.target, part.arguments))
                answer = json.loads(perform(self.messages[-1]))
                raise_error(answer)
                yield answer
        finally:
            os.umask(umask)
            os.environ.clear()
            os.environ.update(environment)
            release_memory()
