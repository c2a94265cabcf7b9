"""Worker processes for the two sides of a comparison, which take turns."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any


class Worker:
    """One side of a comparison in its own process, so that both sides load once and never compete for the cores."""

    def __init__(self, script: str, python: str, side: str, *arguments: str) -> None:
        self.side = side
        command = [python, script, side, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def request(self, **arguments: Any) -> Any:
        """Send a request and return the response; if the worker has ended, the benchmark ends."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.side} ended with exit status {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def serve(handle: Callable[..., Any]) -> None:
    """Respond to each line of standard input, a JSON object of arguments, with one line of JSON."""
    for line in sys.stdin:
        print(json.dumps(handle(**json.loads(line))), flush=True)
