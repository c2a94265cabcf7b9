"""Logging to standard error: plain lines on a terminal, else lines with time, level and stage, or JSON lines."""

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
    """Write log records and library warnings to standard error within the block; errors only if `quiet`."""
    global _form
    previous_form, _form = _form, form
    handler = _Lines()
    root, package = logging.getLogger(), logging.getLogger("interestrec")
    levels = root.level, package.level
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    package.setLevel(logging.ERROR if quiet else logging.INFO)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        with log_stage(command):
            yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(levels[0])
        package.setLevel(levels[1])
        _form = previous_form


@contextmanager
def log_stage(stage: str) -> Iterator[None]:
    """Name this stage in log lines within the block."""
    global _stage
    previous_stage, _stage = _stage, stage
    try:
        yield
    finally:
        _stage = previous_stage


def on_terminal() -> bool:
    """Return whether standard error is a terminal that can show a progress bar."""
    return _form == "text" and sys.stderr.isatty()


def print_error(command: str, message: str, form: Form | None = None) -> None:
    """Print to standard error why a command failed: `interestrec COMMAND: message`, or a JSON object."""
    if (form or _form) == "json":
        _write(_as_json(datetime.now(UTC), "ERROR", command or "interestrec", message))
    else:
        _write(f"{f'interestrec {command}'.strip()}: {message}")


def print_bug(command: str) -> None:
    """Print the current exception to standard error as an internal error, with its traceback."""
    message = "internal error; please report it with the lines above"
    if _form == "json":
        message = f"internal error; please report it\n{traceback.format_exc()}"
    else:
        _write(traceback.format_exc().rstrip())
    print_error(command, message)


class _Lines(logging.Handler):
    """Writes one line per record."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                message = f"{message}\n{''.join(traceback.format_exception(*record.exc_info))}"
            # Some messages start with the stage for readers of other logs; lines that name the stage drop it.
            body = message.removeprefix(f"{_stage}: ")
            time = datetime.fromtimestamp(record.created, UTC)
            if _form == "json":
                line = _as_json(time, record.levelname, _stage, body)
            elif on_terminal():
                line = message
            else:
                joined = " ".join(part.strip() for part in body.splitlines())
                line = f"{_stamp(time)} {record.levelname} {_stage}: {joined}"
            _write(line)
        except Exception:
            self.handleError(record)


def _as_json(time: datetime, level: str, stage: str, message: str) -> str:
    values = {"time": _stamp(time), "level": level, "stage": stage, "message": message}
    return json.dumps(values, ensure_ascii=False)


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _write(text: str) -> None:
    """Write a line to standard error without control characters; a failure to write is ignored."""
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
