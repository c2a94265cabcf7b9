"""Progress reports: a bar on a terminal, log lines elsewhere, nothing with `--quiet`.

They go to standard error; standard output is for results.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from interestrec.core.logs import on_terminal

T = TypeVar("T")

log = logging.getLogger("interestrec")
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_BETWEEN_NOTES = 1.0

_listeners: list[Callable[[str], None]] = []


@contextmanager
def reporting_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Call `listener` about once per second with the progress of `track` within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def track(iterable: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield from `iterable` and report the progress.

    Without a terminal at most one line per 15 seconds is logged, so that a cron log stays short.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    iterable = _with_listeners(iterable, description, total, unit)
    if not log.isEnabledFor(logging.INFO):
        yield from iterable
    elif on_terminal():
        from tqdm import tqdm

        yield from tqdm(iterable, desc=description, total=total, unit=unit, leave=False, dynamic_ncols=True)
    else:
        yield from _with_log_lines(iterable, description, total, unit)


def _with_log_lines(iterable: Iterable[T], description: str, total: int | None, unit: str) -> Iterator[T]:
    last = time.monotonic()
    for count, element in enumerate(iterable, start=1):
        yield element
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            log.info("%s", _progress_text(description, count, total, unit))


def _with_listeners(iterable: Iterable[T], description: str, total: int | None, unit: str) -> Iterator[T]:
    last = -_SECONDS_BETWEEN_NOTES
    for count, element in enumerate(iterable):
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_NOTES:
            last = now
            for listener in _listeners:
                listener(_progress_text(description, count, total, unit))
        yield element


def _progress_text(description: str, count: int, total: int | None, unit: str) -> str:
    return f"{description}: {count}{f' of {total}' if total else ''} {unit}"
