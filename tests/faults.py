"""Calls to the operating system that fail, or that a crash comes before or after: the n-th of them, for every n.

A crash is not an exception that code could clean up after: from its instant on every further call is refused, so that
the directory stays as `kill -9` would leave it.
"""

import builtins
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from interestrec.io import commit


class PowerCut(BaseException):
    """Nothing catches it."""


_OPEN = os.open
_CALLS: list[tuple[Any, str]] = [
    *((os, name) for name in ("open", "fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "symlink", "pwrite")),
    (io, "open"),
    (builtins, "open"),
    (commit, "_exchange"),
    (pq.ParquetWriter, "__init__"),
    (pq.ParquetWriter, "write_table"),
    (pq.ParquetWriter, "close"),
    (safetensors.numpy, "save_file"),
]


class Faults:
    """What happens at the n-th call that touches a directory.

    Args:
        below: calls whose first argument is a path elsewhere do not count.
        at: number of the call, from 1; 0 = none, only count.
        error: raised in its place; None = a crash.
        after: whether a crash comes after the call rather than before.
    """

    def __init__(self, below: Path, at: int = 0, error: BaseException | None = None, after: bool = False) -> None:
        self.below, self.at, self.error, self.after = str(below), at, error, after
        self.count, self.dead = 0, False
        self.opened: list[int] = []  # descriptors, which end with the process, and locks with them

    def wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(*arguments: Any, **named: Any) -> Any:
            if not self._counts(arguments, named):
                return call(*arguments, **named)
            if self.dead:
                raise PowerCut
            self.count += 1
            if self.count != self.at:
                found = call(*arguments, **named)
                if call is _OPEN:
                    self.opened.append(found)
                return found
            if self.error is not None:
                raise self.error
            self.dead = True
            if self.after:
                with suppress(OSError):
                    found = call(*arguments, **named)
                    if call is _OPEN:
                        self.opened.append(found)
            raise PowerCut

        return faulty

    def closed(self, close: Callable[[int], None]) -> Callable[[int], None]:
        def forgetting(descriptor: int) -> None:
            close(descriptor)
            if descriptor in self.opened:
                self.opened.remove(descriptor)

        return forgetting

    def _counts(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
        if "dir_fd" in named:  # rmtree, within a directory that it has opened
            return True
        paths = [str(one) for one in (*arguments[:2], *named.values()) if isinstance(one, str | os.PathLike)]
        if not paths:
            return bool(arguments) and (isinstance(arguments[0], int | pq.ParquetWriter))
        return any(path.startswith(self.below) for path in paths)


@contextmanager
def faults(below: Path, at: int = 0, error: BaseException | None = None, after: bool = False) -> Iterator[Faults]:
    """Within the block the calls are counted, and one fails."""
    made = Faults(below, at, error, after)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in _CALLS:
                patch.setattr(owner, name, made.wrapped(getattr(owner, name)))
            patch.setattr(os, "close", made.closed(os.close))
            yield made
    finally:
        for descriptor in made.opened if made.dead else ():
            with suppress(OSError):
                os.close(descriptor)
