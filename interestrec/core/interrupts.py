"""SIGTERM and SIGINT: work stops at the next safe point; a second signal, or the grace period, ends the process.

A process that ends at once leaves the same state as after `kill -9`, from which the next run recovers.
"""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_SECONDS = 8.0  # from the first signal to the forced end
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """128 plus the signal number."""
        return 128 + self.number


_deferred_blocks = 0  # number of `deferred` blocks that are open
_received: int | None = None


def install() -> None:
    """Install handlers by which both signals raise `Interrupted` in the main thread, or wait for `check` in `deferred`.

    If the parent process ignores SIGINT, as shells do for background jobs, it stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _handle)
    threading.Thread(target=_watch, args=(reader,), daemon=True, name="signals").start()


@contextmanager
def deferred() -> Iterator[None]:
    """Defer signals within the block to the next call of `check`, at the latest to the end of the block."""
    global _deferred_blocks
    _deferred_blocks += 1
    try:
        yield
    finally:
        _deferred_blocks -= 1
    check()


def requested() -> bool:
    """Return whether a signal is pending."""
    return _received is not None


def check() -> None:
    """Raise the pending signal.

    Raises:
        Interrupted: a signal is pending.
    """
    if _received is not None:
        raise Interrupted(_received)


def _handle(number: int, _: FrameType | None) -> None:
    global _received
    _received = number
    if not _deferred_blocks:
        raise Interrupted(number)


def _watch(reader: int) -> None:
    """End the process in place of the main thread, which may be inside a library call for minutes."""
    first = _next_signal(reader, None)
    second = _next_signal(reader, _GRACE_SECONDS)
    os._exit(128 + (second or first or signal.SIGTERM))


def _next_signal(reader: int, seconds: float | None) -> int | None:
    """Return the number of the next handled signal, None at the timeout; other signals also wake the reader."""
    while select.select([reader], [], [], seconds)[0]:
        if (number := os.read(reader, 1)[0]) in _SIGNALS:
            return number
    return None
