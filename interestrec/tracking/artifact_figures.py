"""The figures of an artifact by step and name."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from interestrec.io import artifact_files, files, schemas

Figures = tuple[int | None, dict[str, float]]
_INTERVAL = ("ci_low", "ci_high")


class _FigureTable(NamedTuple):
    """A table of a report whose rows are figures."""

    file: str
    prefix: str  # of the names; empty for none
    parts: tuple[str, ...]  # columns whose values are the parts of a name
    values: tuple[str, ...]  # columns of figures; all but the first stand behind the name


_OF_REPORT = (
    _FigureTable(artifact_files.METRICS, "", ("protocol", "slice", "metric", "system"), ("value", *_INTERVAL)),
    _FigureTable(
        artifact_files.COMPARISONS,
        "comparisons",
        ("protocol", "slice", "metric", "system_a", "system_b"),
        ("difference", *_INTERVAL, "p_holm"),
    ),
    _FigureTable(artifact_files.GAPS, "gaps", ("protocol", "family", "metric", "system"), ("gap", *_INTERVAL)),
    _FigureTable(artifact_files.TASK_METRICS, "tasks", ("task", "metric"), ("value", *_INTERVAL)),
)


def artifact_figures(directory: Path, kind: str, summary: Mapping[str, Any], with_counts: bool) -> Iterator[Figures]:
    """Yield steps and figures: the training log, numbers of the summary, timings, and the rows of a report's tables.

    Args:
        summary: of the stage; a report's is made of its rows, and left out.
        with_counts: whether the numbers of the summary may be told, which may be counts of few users.
    """
    if kind == "model":
        yield from _training_figures(directory)
    if kind == "encoder":
        yield from _adaptation_figures(directory)
    if kind in ("report", "windows"):
        yield from (
            (None, _table_figures(table, files.read_parquet(directory / table.file).to_pylist()))
            for table in _OF_REPORT
            if (directory / table.file).exists()
        )
    elif with_counts:
        yield None, {f"summary/{name}": value for name, value in flat_numbers(summary).items()}
    timing = files.read_json_lines(directory / artifact_files.TIMING)
    if timing:
        numbers = flat_numbers(timing[-1]).items()
        yield None, {f"timing/{name}": value for name, value in numbers if with_counts or name.endswith("seconds")}


def _name(table: _FigureTable, row: Mapping[str, Any]) -> str:
    """Return the name of a row of a report, such as `<protocol>/<slice>/<metric>/<system>`.

    In a part `%` is written `%25` and `/` is written `%2F`, so that a table's names have equally many parts. A row of
    one of several test windows begins with `window-<number>/`.
    """
    window = [] if row.get("window") is None else [f"window-{row['window']}"]
    parts = [*window, *([table.prefix] if table.prefix else []), *(row[column] for column in table.parts)]
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


def _table_figures(table: _FigureTable, rows: list[dict[str, Any]]) -> dict[str, float]:
    figures: dict[str, float | None] = {}
    first, *others = table.values
    for row in rows:
        name = _name(table, row)
        figures |= {name: row[first], **{f"{name} {column}": row[column] for column in others}}
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
