"""Commands on hostile input, and what must hold of each: a clear end, soon, in little memory, nothing else touched."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interestrec.io import files

SECRET = "canary-6d1f0c"
MOST_BYTES = int(1.5 * (1 << 30))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    said: str
    bytes: int


class Commands:
    """The other end of `serve`; begins anew where a command takes the process with it."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process."""
        command = [sys.executable, "-m", "tests.hostile.serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def run(self, *arguments: object) -> Ended:
        """Run one command."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(list(map(str, arguments))) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            self.start()
        assert line, f"the process died of {arguments}"
        return Ended(**json.loads(line))

    def good(self, *arguments: object) -> None:
        """Run a command that must end well."""
        ended = self.run(*arguments)
        assert ended.status == 0, ended.said


@contextmanager
def serving() -> Iterator[Commands]:
    """A process that waits for commands."""
    commands = Commands()
    try:
        yield commands
    finally:
        commands.stop()


class Canary:
    """A secret in a directory beside the one that a command may write to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "outside"
        self.directory.mkdir()
        self.file = self.directory / "canary.txt"
        self.file.write_text(f"{SECRET}\n" * 40)
        self.before = self.seen()

    def seen(self) -> dict[str, tuple[str, int]]:
        """Contents and times of change of what lies there."""
        return {p.name: (files.sha256_of(p), p.stat().st_mtime_ns) for p in sorted(self.directory.iterdir())}

    def check(self, ended: Ended, written: Path) -> None:
        """It is as it was, and the secret is nowhere in what was printed or written."""
        assert self.seen() == self.before
        assert SECRET not in ended.said
        for path in written.rglob("*") if written.is_dir() else []:
            if path.is_file() and not path.is_symlink():
                assert SECRET.encode() not in path.read_bytes(), path


def expect(ended: Ended, statuses: set[int]) -> None:
    """The bar that every hostile input is held to."""
    assert ended.status in statuses, f"status {ended.status}: {ended.said}"
    assert "Traceback" not in ended.said
    assert "\x1b" not in ended.said
    assert "\0" not in ended.said
    assert ended.bytes <= MOST_BYTES, f"{ended.bytes / (1 << 30):.2f} GiB"
    if ended.status:
        assert len(ended.said) < 3000, "a message that long is none"
        assert ended.said.startswith("interestrec ") or "\ninterestrec " in ended.said
