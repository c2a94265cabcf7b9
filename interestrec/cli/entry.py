"""The process around a command: its standard streams, and its last words where the command line cannot be read."""

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
    """Put something in the place of standard streams that the process was started without, as `<&-` and `>&-` do.

    A file that is opened later would else get their number, and what is printed would go into it. What stands for
    standard output cannot be written to: printing there fails as it should.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


@dataclass
class CommandProcess:
    """The process of one command."""

    status: int = 0  # that it ends with


@contextmanager
def command_process() -> Iterator[CommandProcess]:
    """Run a command within the context, then end the process with the command's status, or that of what it raised.

    A context rather than a function around the command: a traceback of ours begins where the command does.
    """
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    # What cannot be encoded is no reason to lose the rest; JSON is UTF-8 wherever it goes.
    sys.stdout.reconfigure(encoding="utf-8" if as_json else None, errors="backslashreplace")  # type: ignore[union-attr]
    process = CommandProcess()
    try:
        try:
            yield process
            interrupts.check()  # before a session begins, Typer catches what a signal raises
            sys.stdout.flush()
        except SystemExit as ended:  # Typer ends so when the reader of its help has gone
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
    """Say what went wrong outside of a session; the exit status."""
    if isinstance(error, typer.TyperException):
        return _usage(error, as_json, form)
    if isinstance(error, OSError):  # of help or version: a session knows what to do with its own
        return end(lost_output(error), "", as_json)
    return end_of_bug(error, "", as_json)


def _log_form(arguments: Sequence[str]) -> Form:
    form = os.environ.get("INTERESTREC_LOG", "text")
    for place, argument in enumerate(arguments):
        if argument == "--log" or argument.startswith("--log="):
            form = "".join(arguments[place + 1 : place + 2]) if argument == "--log" else argument.removeprefix("--log=")
    return "json" if form == "json" else "text"


def _usage(error: typer.TyperException, as_json: bool, form: Form) -> int:
    """Say what is wrong with the command line; the exit status."""
    context: Any = getattr(error, "ctx", None)
    if context is None:
        command, message = "", error.format_message()
    else:
        root, message = context.find_root(), error.format_message()
        command = context.command_path.removeprefix(root.command_path).strip()
        if message == context.get_help():  # which is what Typer says where a command is missing
            if not as_json:
                with suppress(OSError):  # nobody can be told
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
    told = ", ".join(f"`{owner}`" for owner in owners[:_MAX_OWNERS])
    more = f" and {len(owners) - _MAX_OWNERS} more" if len(owners) > _MAX_OWNERS else ""
    hint = f", which belongs to {told}{more}" if owners else suggestion(option, known)
    return f"no such option: {option}{hint}"


def _owners(command: Any, path: str, option: str) -> Iterator[str]:
    """The subcommands that have an option."""
    for name, inner in getattr(command, "commands", {}).items():
        here = f"{path} {name}"
        if any(option in parameter.opts for parameter in inner.params):
            yield here
        yield from _owners(inner, here, option)
