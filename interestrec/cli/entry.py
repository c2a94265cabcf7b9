"""The process of a command: standard streams, exit status, and errors of the command line itself."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import typer

from interestrec.cli.console import document_of_failure, drain, end, end_of_bug, lost_output
from interestrec.core import interrupts
from interestrec.core.choices import suggestion
from interestrec.core.logs import Form, print_error

_MAX_OWNERS = 3


def open_standard_streams() -> None:
    """Open the null device for standard streams that are closed at the start, as `<&-` and `>&-` do.

    Otherwise a file that is opened later would get their descriptor and receive the output. The substitute of standard
    output is read-only, so that printing fails.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # receives the lowest free descriptor, which is `number`
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


@dataclass
class CommandProcess:
    """The process of one command."""

    status: int = 0  # exit status


@contextmanager
def command_process() -> Iterator[CommandProcess]:
    """Run a command within the context, then exit with the status of the command or of its exception.

    It is a context manager rather than a wrapper, so that tracebacks start at the command.
    """
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    # A character that cannot be encoded must not lose the other output; JSON is always UTF-8.
    sys.stdout.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")  # type: ignore[union-attr]
    process = CommandProcess()
    try:
        try:
            yield process
            interrupts.check()  # before a session starts, Typer catches the exception of a signal
            sys.stdout.flush()
        except SystemExit as ended:  # Typer exits this way if the reader of its help is gone
            if not isinstance(ended.__context__, BrokenPipeError):
                raise
            process.status = end(lost_output(ended.__context__), "", as_json)
        except Exception as error:
            process.status = _status(error, as_json, _log_form(arguments))
        except interrupts.Interrupted as interrupted:
            process.status = interrupted.exit_status
        sys.exit(process.status)
    finally:
        for stream in (sys.stdout, sys.stderr):
            drain(stream)


def _status(error: Exception, as_json: bool, form: Form) -> int:
    """Report an error outside of a session; return the exit status."""
    if isinstance(error, typer.TyperException):
        return _usage(error, as_json, form)
    if isinstance(error, OSError):  # while help or version is printed; sessions handle their own
        return end(lost_output(error), "", as_json)
    return end_of_bug(error, "", as_json)


def _log_form(arguments: Sequence[str]) -> Form:
    form = os.environ.get("INTERESTREC_LOG", "text")
    for place, argument in enumerate(arguments):
        if argument == "--log" or argument.startswith("--log="):
            form = "".join(arguments[place + 1 : place + 2]) if argument == "--log" else argument.removeprefix("--log=")
    return "json" if form == "json" else "text"


def _usage(error: typer.TyperException, as_json: bool, form: Form) -> int:
    """Report an error of the command line; return the exit status."""
    context: Any = getattr(error, "ctx", None)
    if context is None:
        command, message = "", error.format_message()
    else:
        root, message = context.find_root(), error.format_message()
        command = context.command_path.removeprefix(root.command_path).strip()
        if message == context.get_help():  # the message of Typer for a missing command
            if not as_json:
                with suppress(OSError):  # standard error is closed
                    print(message, file=sys.stderr)
                return error.exit_code
            message = "no command given"
        elif (option := getattr(error, "option_name", None)) and message.startswith("No such option"):
            message = _no_such_option(option, context, root)
    message = f"{message[0].lower()}{message[1:].rstrip('.')}; see `{f'interestrec {command}'.strip()} --help`"
    print_error(command, message, form)
    return document_of_failure(command, as_json, message, error.exit_code)


def _no_such_option(option: str, context: Any, root: Any) -> str:
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    owners = list(_owners(root.command, "interestrec", option))
    names = ", ".join(f"`{owner}`" for owner in owners[:_MAX_OWNERS])
    more = f" and {len(owners) - _MAX_OWNERS} more" if len(owners) > _MAX_OWNERS else ""
    hint = f", which belongs to {names}{more}" if owners else suggestion(option, known)
    return f"no such option: {option}{hint}"


def _owners(command: Any, path: str, option: str) -> Iterator[str]:
    """Yield the subcommands that have an option."""
    for name, inner in getattr(command, "commands", {}).items():
        command_path = f"{path} {name}"
        if any(option in parameter.opts for parameter in inner.params):
            yield command_path
        yield from _owners(inner, command_path, option)
