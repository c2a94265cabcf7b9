"""The figures of an artifact by step and name."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from interestrec.io import artifact_files, files, report_schemas, schemas

Figures = tuple[int | None, dict[str, float]]
_BOUNDS = ("ci_low", "ci_high")


def artifact_figures(directory: Path, kind: str, summary: Mapping[str, Any], with_counts: bool) -> Iterator[Figures]:
    """Yield steps and figures: the training log, numbers of the summary, timings, and the rows of a report.

    Args:
        summary: of the stage; a report's is made of its rows, and left out.
        with_counts: whether the numbers of the summary may be told, which may be counts of few users.
    """
    if kind == "model":
        yield from _training_figures(directory)
    if kind == "encoder":
        yield from _adaptation_figures(directory)
    if kind == "report":
        rows = files.read_parquet(directory / artifact_files.METRICS, report_schemas.METRICS).to_pylist()
        yield None, _row_figures(rows)
    elif kind == "windows":
        rows = files.read_parquet(directory / artifact_files.METRICS, report_schemas.WINDOW_METRICS).to_pylist()
        yield None, _row_figures(rows)
    elif with_counts:
        yield None, {f"summary/{name}": value for name, value in flat_numbers(summary).items()}
    timing = files.read_json_lines(directory / artifact_files.TIMING)
    if timing:
        numbers = flat_numbers(timing[-1]).items()
        yield None, {f"timing/{name}": value for name, value in numbers if with_counts or name.endswith("seconds")}


def report_name(row: Mapping[str, Any]) -> str:
    """Return the name of a row of a report: `<protocol>/<slice>/<metric>/<system>`.

    In a part `%` is written `%25` and `/` is written `%2F`, so that every name has four parts. A row of one of several
    test windows begins with `window-<number>/`.
    """
    parts = [row["protocol"], row["slice"], row["metric"], row["system"]]
    if row.get("window") is not None:
        parts = [f"window-{row['window']}", *parts]
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


def flat_numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the finite numbers of nested mappings, by their keys joined by dots."""
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers |= flat_numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and math.isfinite(value):
            numbers[f"{prefix}{name}"] = float(value)
    return numbers


def _row_figures(rows: list[dict[str, Any]]) -> dict[str, float]:
    figures: dict[str, float | None] = {}
    for row in rows:
        name = report_name(row)
        figures |= {name: row["value"], **{f"{name} {bound}": row[bound] for bound in _BOUNDS}}
    return {name: value for name, value in figures.items() if value is not None}


def _training_figures(directory: Path) -> Iterator[Figures]:
    """Yield the training log, then those of further models of an ensemble, whose names begin with their directory."""
    logs = [directory / artifact_files.TRAINING_LOG, *sorted(directory.glob(f"*/{artifact_files.TRAINING_LOG}"))]
    for path in logs:
        prefix = "" if path.parent == directory else f"{path.parent.name}/"
        by_step: dict[int, dict[str, float]] = {}
        for row in files.read_parquet(path, schemas.TRAINING_LOG).to_pylist():
            by_step.setdefault(row["step"], {})[f"{prefix}{row['name']}"] = row["value"]
        yield from by_step.items()


def _adaptation_figures(directory: Path) -> Iterator[Figures]:
    for step, loss in enumerate(files.read_json(directory / artifact_files.ADAPTATION).get("losses", []), 1):
        yield step, {"loss": loss}
