"""What a command shows and how it ends: text for people, one JSON document for machines, an exit status."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

from interestrec.core.errors import GateError, InterestrecError, ReaderGoneError, StorageError, UsageError
from interestrec.core.interrupts import Interrupted
from interestrec.core.logs import Form, logging_to_stderr, print_bug, print_error
from interestrec.core.printable import printable
from interestrec.io import artifact_files

if TYPE_CHECKING:
    from interestrec.stages.run import StageResult
    from interestrec.workspace.plan import BuildPlan


class Output:
    """Results of one command on standard output.

    Raises:
        UsageError: success shall be quiet and verbose.
    """

    def __init__(self, command: str, as_json: bool, quiet: bool, verbose: bool = False) -> None:
        if quiet and verbose:
            raise UsageError("--quiet and --verbose exclude each other")
        self.command = command
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    def show(self, values: dict[str, Any], text: str) -> None:
        """Print `text`, or `values` as one JSON document; nothing where success shall be quiet.

        Raises:
            ReaderGoneError, StorageError: as `write`.
        """
        if self.as_json:
            write_document({"command": self.command, "status": "ok", **values})
        elif not self.quiet:
            write(text)

    def findings(self, found: list[tuple[str, str, InterestrecError | None]]) -> None:
        """Print what was looked at and what was found; the first error decides how the command ends.

        Raises:
            InterestrecError: there is an error; JSON then tells of all.
        """
        errors = [error for _, _, error in found if error is not None]
        lines = [f"{'fails' if error else 'ok':5}  {about}: {told}" for about, told, error in found]
        if errors and self.as_json:
            raise type(errors[0])("; ".join(str(error) for error in errors))
        values = {"findings": [{"about": about, "told": told} for about, told, _ in found]}
        self.show(values, printable("\n".join(lines)))
        if errors:
            raise errors[0]

    def result(self, result: "StageResult") -> None:
        """Print what a stage did.

        Raises:
            GateError: the result is not as good as required; JSON tells of it on failure.
        """
        values = _as_values(result)
        if not (self.as_json and result.failures):
            self.show(values, _as_text(result, self.verbose))
        if result.failures:
            raise GateError(result.failures, values)

    def results(self, stages: "Iterable[StageResult]") -> None:
        """Print what stages did; text appears as each is done, JSON when all are.

        Raises:
            GateError: as `result`.
        """
        results: list[dict[str, Any]] = []
        failures: tuple[str, ...] = ()
        warnings: list[str] = []
        for result in stages:
            results.append(_as_values(result))
            failures += result.failures
            warnings += [
                f"{result.artifact.stage}: {finding['sentence']}"
                for finding in result.summary.get("findings", [])
                if finding["better"] is False
            ]
            if not self.as_json:
                self.show({}, _as_text(result, self.verbose, warnings))
        if failures:
            raise GateError(failures, {"stages": results})
        if self.as_json:
            self.show({"stages": results}, "")

    def plans(self, stages: "Iterable[BuildPlan]") -> None:
        """Print what stages would do."""
        found = list(stages)
        self.show({"plans": [plan.values for plan in found]}, "\n".join(map(str, found)))


def _as_values(result: "StageResult") -> dict[str, Any]:
    artifact = result.artifact
    gate = {"in_order": list(result.notes), "failed": list(result.failures)}
    return {
        "stage": artifact.stage,
        "artifact": str(artifact.path),
        "digest": artifact.digest,
        "built": result.built,
        "summary": result.summary,
        **({"gate": gate} if any(gate.values()) else {}),
    }


def _as_text(result: "StageResult", verbose: bool, warnings: Sequence[str] = ()) -> str:
    """What a stage did, for people.

    Args:
        warnings: of the stages before, for the end of a run.
    """
    artifact = result.artifact
    figures = [
        f"{name} {_figure(value)}" for name, value in result.summary.items() if not isinstance(value, dict | list)
    ]
    line = f"{artifact.stage}: {'built' if result.built else 'up to date'}"
    full_line = f"{line}  {'  '.join(figures)}".rstrip()
    if result.metrics is None:
        return "\n".join([full_line, *(finding["sentence"] for finding in result.summary.get("findings", []))])
    from interestrec.report.conclusion import MAX_WIDTH, conclusion
    from interestrec.report.metrics_table import metrics_table

    width, color = _terminal_width(), _colour()
    end = conclusion(
        result.metrics.to_pylist(),
        result.summary["verdicts"],
        result.notes,
        [*(f"the leak audit found {check}; see the report" for check in result.summary["leaks"]), *warnings],
        str(artifact.path / artifact_files.REPORT_PAGE),
        width,
        color,
    )
    if not verbose:
        return f"{line}\n\n{end}"
    return "\n\n".join([full_line, metrics_table(result.metrics, width or MAX_WIDTH, color), end])


def _terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none, and nothing depends on a width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _colour() -> bool:
    """Whether standard output is a terminal that colours are wanted on (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@contextmanager
def session(command: str, as_json: bool, quiet: bool, log: Form = "text", verbose: bool = False) -> Iterator[Output]:
    """Logging to standard error, and every way a command can end mapped to its exit status."""
    with logging_to_stderr(command, log, quiet):
        try:
            yield Output(command, as_json, quiet, verbose)
        except InterestrecError as error:
            sys.exit(end(error, command, as_json))
        except Interrupted as interrupted:
            sys.exit(_failed(command, as_json, str(interrupted), interrupted.exit_status))
        except Exception as error:
            sys.exit(end_of_bug(error, command, as_json))


def end(error: InterestrecError, command: str, as_json: bool) -> int:
    """Say why a command ends, unless it is that the reader of standard output has gone; the exit status."""
    if isinstance(error, ReaderGoneError):
        return error.exit_status
    return _failed(command, as_json, str(error), error.exit_status, error.document)


def end_of_bug(error: Exception, command: str, as_json: bool) -> int:
    """Say that the exception at hand is our bug; the exit status."""
    print_bug(command)
    return document_of_failure(command, as_json, f"internal error: {error!r}", InterestrecError.exit_status)


def _failed(
    command: str, as_json: bool, message: str, status: int, told: Mapping[str, Any] = MappingProxyType({})
) -> int:
    print_error(command, message)
    return document_of_failure(command, as_json, message, status, told)


def document_of_failure(
    command: str, as_json: bool, message: str, status: int, told: Mapping[str, Any] = MappingProxyType({})
) -> int:
    """Print the document of a command that failed where JSON is wanted; the exit status."""
    if as_json:
        try:
            write_document({**told, "command": command, "status": "error", "error": message, "exit_status": status})
        except InterestrecError as lost:  # the status stays that of what went wrong first
            if not isinstance(lost, ReaderGoneError):
                print_error(command, str(lost))
    return status


def write_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document; null stands for a figure that is not finite, which JSON has no word for.

    Raises:
        ReaderGoneError, StorageError: as `write`.
    """
    write(json.dumps(_finite(document), ensure_ascii=False, sort_keys=True, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(text: str) -> None:
    """Print on standard output.

    Raises:
        ReaderGoneError: nobody reads it any more.
        StorageError: it cannot be written.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise lost_output(error) from None


def lost_output(error: OSError) -> InterestrecError:
    """What an error of standard output means; nothing more is written there, not even when the process ends."""
    _close_off(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("the reader of standard output has gone")
    return StorageError(f"standard output: {error.strerror}; results cannot be printed, check its destination")


def drain(stream: TextIO) -> None:
    """Write what waits in a standard stream, or drop it where that fails, just before the process ends.

    Python itself tries again at exit, and would end with status 120 instead of the command's.
    """
    try:
        stream.flush()
    except OSError:
        _close_off(stream)


def _close_off(stream: TextIO) -> None:
    """Let all that is still to be written to a standard stream go nowhere."""
    with suppress(OSError):  # in tests there is no such file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
