"""Log lines on standard error: plain on a terminal, with time, level and stage elsewhere, or one JSON object each."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from interestrec.core.printable import printable

Form = Literal["text", "json"]

_form: Form = "text"
_stage = "interestrec"


@contextmanager
def logging_to_stderr(command: str, form: Form, quiet: bool) -> Iterator[None]:
    """Within the block what is logged, and what libraries warn of, goes to standard error; only errors when quiet."""
    global _form
    before, _form = _form, form
    handler = _Lines()
    root, ours = logging.getLogger(), logging.getLogger("interestrec")
    levels = root.level, ours.level
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    ours.setLevel(logging.ERROR if quiet else logging.INFO)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        with log_stage(command):
            yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        _form = before


@contextmanager
def log_stage(stage: str) -> Iterator[None]:
    """Within the block log lines tell of this stage."""
    global _stage
    before, _stage = _stage, stage
    try:
        yield
    finally:
        _stage = before


def on_terminal() -> bool:
    """Whether a person looks on, to whom a moving bar says more than lines."""
    return _form == "text" and sys.stderr.isatty()


def print_error(command: str, message: str, form: Form | None = None) -> None:
    """Say on standard error why a command ends: `interestrec COMMAND: message`, or as a JSON object."""
    if (form or _form) == "json":
        _write(_as_json(datetime.now(UTC), "ERROR", command or "interestrec", message))
    else:
        _write(f"{f'interestrec {command}'.strip()}: {message}")


def print_bug(command: str) -> None:
    """Say on standard error that the exception at hand is our bug, with its traceback."""
    told = "internal error; please report it with the lines above"
    if _form == "json":
        told = f"internal error; please report it\n{traceback.format_exc()}"
    else:
        _write(traceback.format_exc().rstrip())
    print_error(command, told)


class _Lines(logging.Handler):
    """One line a record."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                message = f"{message}\n{''.join(traceback.format_exception(*record.exc_info))}"
            # Some name their stage for those who read them elsewhere; it is not said twice.
            told = message.removeprefix(f"{_stage}: ")
            time = datetime.fromtimestamp(record.created, UTC)
            if _form == "json":
                line = _as_json(time, record.levelname, _stage, told)
            elif on_terminal():
                line = message
            else:
                one = " ".join(part.strip() for part in told.splitlines())
                line = f"{_stamp(time)} {record.levelname} {_stage}: {one}"
            _write(line)
        except Exception:
            self.handleError(record)


def _as_json(time: datetime, level: str, stage: str, message: str) -> str:
    values = {"time": _stamp(time), "level": level, "stage": stage, "message": message}
    return json.dumps(values, ensure_ascii=False)


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _write(text: str) -> None:
    """A line on standard error, in which nothing steers a terminal. Where it cannot be written, nobody is told."""
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
