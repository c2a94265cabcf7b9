"""Console: prints results as text or one JSON document, and maps errors to exit statuses."""

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
    from interestrec.stages.check import CheckFinding
    from interestrec.stages.run import StageResult
    from interestrec.workspace.plan import BuildPlan


class Output:
    """Prints the results of one command on standard output.

    Raises:
        UsageError: both `quiet` and `verbose` are set.
    """

    def __init__(self, command: str, as_json: bool, quiet: bool, verbose: bool = False) -> None:
        if quiet and verbose:
            raise UsageError("--quiet and --verbose exclude each other")
        self.command = command
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    def show(self, values: dict[str, Any], text: str) -> None:
        """Print `text`, or `values` as one JSON document; with `quiet` print no text.

        Raises:
            ReaderGoneError, StorageError: see `write`.
        """
        if self.as_json:
            write_document({"command": self.command, "status": "ok", **values})
        elif not self.quiet:
            write(text)

    def findings(self, found: "Sequence[CheckFinding]") -> None:
        """Print the findings of `check`; the first error determines the exit status.

        Raises:
            InterestrecError: a finding has an error; with JSON its message combines all errors, and it carries all
                findings.
        """
        errors = [finding.error for finding in found if finding.error is not None]
        levels = ["fails" if finding.error else "warns" if finding.is_warning else "ok" for finding in found]
        values = {
            "findings": [
                {"about": finding.subject, "told": finding.sentence, "level": level}
                for finding, level in zip(found, levels, strict=True)
            ]
        }
        if errors and self.as_json:
            combined = type(errors[0])("; ".join(str(error) for error in errors))
            combined.document = values
            raise combined
        lines = [
            f"{level:5}  {finding.subject}: {finding.sentence}" for finding, level in zip(found, levels, strict=True)
        ]
        self.show(values, printable("\n".join(lines)))
        if errors:
            raise errors[0]

    def result(self, result: "StageResult") -> None:
        """Print the result of a stage.

        Raises:
            GateError: a requirement on the result fails; with JSON the error carries the result.
        """
        values = _as_values(result)
        if not (self.as_json and result.failures):
            self.show(values, _as_text(result, self.verbose))
        if result.failures:
            raise GateError(result.failures, values)

    def results(self, stages: "Iterable[StageResult]") -> None:
        """Print the results of stages: text after each stage, JSON after all stages.

        Raises:
            GateError: see `result`.
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
        """Print the build plans of stages."""
        plans = list(stages)
        self.show({"plans": [plan.values for plan in plans]}, "\n".join(map(str, plans)))


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
    """Return the result of a stage as text.

    Args:
        warnings: warnings of earlier stages, to be shown with the conclusion.
    """
    artifact = result.artifact
    figures = [
        f"{name} {_figure(value)}" for name, value in result.summary.items() if not isinstance(value, dict | list)
    ]
    line = f"{artifact.stage}: {'built' if result.built else 'up to date'}"
    full_line = f"{line}  {'  '.join(figures)}".rstrip()
    if result.metrics is None:
        return "\n".join([full_line, *map(_finding, result.summary.get("findings", []))])
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


def _finding(finding: Mapping[str, Any]) -> str:
    """Return a finding of a stage as a line of text; one that is bad news is a warning."""
    return printable(f"{'warning: ' if finding['better'] is False else ''}{finding['sentence']}")


def _terminal_width() -> int | None:
    """Number of columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _colour() -> bool:
    """Whether standard output is a terminal with colours enabled (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@contextmanager
def session(command: str, as_json: bool, quiet: bool, log: Form = "text", verbose: bool = False) -> Iterator[Output]:
    """Log to standard error, and exit with the status of the error that ends the command."""
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
    """Report the error that ends a command, unless the reader of standard output is gone; return the exit status."""
    if isinstance(error, ReaderGoneError):
        return error.exit_status
    return _failed(command, as_json, str(error), error.exit_status, error.document)


def end_of_bug(error: Exception, command: str, as_json: bool) -> int:
    """Report the current exception as an internal error; return the exit status."""
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
    """Print the JSON document of a failed command if `as_json`; return the exit status.

    `told` contains further keys of the document.
    """
    if as_json:
        try:
            write_document({**told, "command": command, "status": "error", "error": message, "exit_status": status})
        except InterestrecError as output_error:  # the exit status remains that of the first error
            if not isinstance(output_error, ReaderGoneError):
                print_error(command, str(output_error))
    return status


def write_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document; numbers that are not finite become null, as JSON cannot represent them.

    Raises:
        ReaderGoneError, StorageError: see `write`.
    """
    write(json.dumps(_finite(document), ensure_ascii=False, sort_keys=True, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(text: str) -> None:
    """Print a line on standard output.

    Raises:
        ReaderGoneError: the reader has closed standard output.
        StorageError: standard output cannot be written.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        raise lost_output(error) from None


def lost_output(error: OSError) -> InterestrecError:
    """Return the error for a failed write to standard output, and discard all further output, also at process exit."""
    _close_off(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("the reader of standard output has gone")
    return StorageError(f"standard output: {error.strerror}; results cannot be printed, check its destination")


def drain(stream: TextIO) -> None:
    """Flush a standard stream before the process ends, or discard its buffer if that fails.

    Otherwise Python flushes it again at exit, and a failure replaces the exit status of the command by 120.
    """
    try:
        stream.flush()
    except OSError:
        _close_off(stream)


def _close_off(stream: TextIO) -> None:
    """Redirect a standard stream to the null device."""
    with suppress(OSError):  # in tests the stream has no file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
