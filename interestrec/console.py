"""What a command shows and how it ends: text for people, one JSON document for machines, an exit status."""

import json
import logging
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from interestrec.core.errors import GateError, InterestrecError
from interestrec.core.interrupts import Interrupted
from interestrec.core.printable import printable

if TYPE_CHECKING:
    from interestrec.core.context import Context, Result

_TABLE_WIDTH = 100  # what the metrics table needs; a narrower terminal wraps lines rather than loses digits


class Output:
    """Results of one command on standard output."""

    def __init__(self, command: str, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json

    def show(self, values: dict[str, Any], text: str) -> None:
        """Print `text`, or `values` as one JSON document."""
        if self.as_json:
            document = {"command": self.command, "status": "ok", **values}
            text = json.dumps(document, ensure_ascii=False, sort_keys=True)
        print(text, flush=True)

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

    def stage(self, context: "Context") -> None:
        """Run the stage that the command is named after."""
        from interestrec.pipeline import run_stage

        if context.dry_run:
            self._plans([self.command], context)
        else:
            self.result(run_stage(self.command, context))

    def result(self, result: "Result") -> None:
        """Print what a stage did.

        Raises:
            GateError: the result is not as good as required; JSON tells of it on failure.
        """
        values = _as_values(result)
        if not (self.as_json and result.failures):
            self.show(values, _as_text(result))
        if result.failures:
            raise GateError(result.failures, values)

    def all_stages(self, context: "Context") -> None:
        """Run all stages; text appears as each is done, JSON when all are.

        Raises:
            GateError: as `result`.
        """
        from interestrec.pipeline import STAGES, run_all

        if context.dry_run:
            self._plans(list(STAGES), context)
            return
        results: list[dict[str, Any]] = []
        failures: tuple[str, ...] = ()
        for result in run_all(context):
            results.append(_as_values(result))
            failures += result.failures
            if not self.as_json:
                self.show({}, _as_text(result))
        if failures:
            raise GateError(failures, {"stages": results})
        if self.as_json:
            self.show({"stages": results}, "")

    def _plans(self, names: list[str], context: "Context") -> None:
        """Print what stages would do."""
        from interestrec.pipeline import plans

        found = list(plans(names, context))
        self.show({"plans": [plan.values for plan in found]}, "\n".join(map(str, found)))


def _as_values(result: "Result") -> dict[str, Any]:
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


def _as_text(result: "Result") -> str:
    artifact = result.artifact
    figures = [
        f"{name} {_figure(value)}" for name, value in result.summary.items() if not isinstance(value, dict | list)
    ]
    line = f"{artifact.stage}: {'built' if result.built else 'up to date'}  {'  '.join(figures)}".rstrip()
    if artifact.kind != "report":
        return line
    from interestrec.core import files, schemas
    from interestrec.report.table import metrics_table

    metrics = files.read_parquet(artifact.path / "metrics.parquet", schemas.METRICS)
    width = max(shutil.get_terminal_size().columns, _TABLE_WIDTH)
    table = metrics_table(metrics, width, sys.stdout.isatty())
    verdicts = result.summary["verdicts"].values()
    said = [of[key] for of in verdicts for key in ("rival", "blend") if key in of]
    return "\n".join([table, *said, line, f"report: {artifact.path / 'report.html'}", *result.notes])


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


class _Plain(logging.Formatter):
    """Messages quote what a log says, which may be anything."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def session(command: str, as_json: bool, quiet: bool) -> Iterator[Output]:
    """Logging to standard error, and every way a command can end mapped to its exit status."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("interestrec").setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield Output(command, as_json)
    except InterestrecError as error:
        print(f"interestrec {command}: {printable(str(error))}", file=sys.stderr)
        _fail(command, as_json, str(error), error.exit_status, error.document)
    except Interrupted as interrupted:
        print(f"interestrec {command}: {interrupted}", file=sys.stderr)
        _fail(command, as_json, str(interrupted), interrupted.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be flushed there
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        traceback.print_exc()
        print(f"interestrec {command}: internal error; please report it with the lines above", file=sys.stderr)
        _fail(command, as_json, f"internal error: {error!r}", InterestrecError.exit_status)


def _fail(
    command: str, as_json: bool, message: str, status: int, told: Mapping[str, Any] = MappingProxyType({})
) -> NoReturn:
    if as_json:
        document = {**told, "command": command, "status": "error", "error": message, "exit_status": status}
        print(json.dumps(document, ensure_ascii=False, sort_keys=True), flush=True)
    sys.exit(status)
