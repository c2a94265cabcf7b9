"""SIGTERM and SIGINT: work stops at a safe point; a second signal, or a point that does not come, ends the process.

What ends at once leaves no more behind than `kill -9` does, and the next run deals with that.
"""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE = 8.0  # seconds from the first signal to the end, whatever the process is in the middle of
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_status(self) -> int:
        """128 and the signal's number."""
        return 128 + self.number


_deferring = 0  # how many blocks are open that stop at points of their own
_received: int | None = None


def install() -> None:
    """From now on both signals raise `Interrupted` in the main thread, or wait for `check` inside `deferred`.

    A SIGINT that the process was started to ignore, as shells do for jobs in the background, stays ignored.
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
    """Within the block signals wait until `check` is called, at the latest when it ends."""
    global _deferring
    _deferring += 1
    try:
        yield
    finally:
        _deferring -= 1
    check()


def requested() -> bool:
    """Whether a signal waits for `check`."""
    return _received is not None


def check() -> None:
    """End here if a signal asked for it.

    Raises:
        Interrupted: one did.
    """
    if _received is not None:
        raise Interrupted(_received)


def _handle(number: int, _: FrameType | None) -> None:
    global _received
    _received = number
    if not _deferring:
        raise Interrupted(number)


def _watch(reader: int) -> None:
    """End the process where the main thread cannot: it may be in a library's call for minutes."""
    number = _next_signal(reader, None)
    again = _next_signal(reader, _GRACE)
    os._exit(128 + (again or number or signal.SIGTERM))


def _next_signal(reader: int, seconds: float | None) -> int | None:
    """The number of the next of our signals, None when none comes in time. Others wake the reader, too."""
    while select.select([reader], [], [], seconds)[0]:
        if (number := os.read(reader, 1)[0]) in _SIGNALS:
            return number
    return None
