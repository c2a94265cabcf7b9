"""Two sides of a comparison, each in a process of its own that waits for its turn."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any


class Worker:
    """A side in its own process: both load and warm up first, then take turns and never compete for the cores."""

    def __init__(self, script: str, python: str, side: str, *arguments: str) -> None:
        self.side = side
        command = [python, script, side, *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **what: Any) -> Any:
        """What the side answers; a side that ended ends the bench."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.side} ended with exit status {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def answer(reply: Callable[..., Any]) -> None:
    """Answer each line of standard input, a JSON object of arguments, with one line of JSON."""
    for line in sys.stdin:
        print(json.dumps(reply(**json.loads(line))), flush=True)
