"""Plain-text tables of metrics for the terminal: aligned, and no number is ever shortened."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from rich.cells import cell_len

from interestrec.evaluation.metric_rows import TITLES, best_value, metrics_by_system
from interestrec.evaluation.metric_sums import LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import is_part
from interestrec.report.text_columns import GAP, pad_cells, shorten

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_MIN_NAME_WIDTH = 8  # cells that a system's name keeps, however narrow the terminal


class MetricColumn(NamedTuple):
    """A column of a table: its cells, the heading first, and which of them are bold."""

    cells: list[str]
    bold: list[bool]

    @property
    def width(self) -> int:
        """Width of the widest cell plus the gap before it."""
        return max(map(cell_len, self.cells)) + len(GAP)


def metrics_table(metrics: pa.Table, width: int, color: bool = False) -> str:
    """Return a table per protocol: systems as rows, ours first, metrics as columns, the best value in bold.

    The values are those over all lists, not of slices. Metrics that do not fit the width follow in further tables.

    Args:
        metrics: rows of report_schemas.METRICS.
        width: columns of the terminal.
        color: whether to use bold type; otherwise a star marks the best value.
    """
    rows = [row for row in metrics.to_pylist() if row["slice"] == ALL and not is_part(row["system"])]
    tables = []
    for protocol, title in TITLES.items():
        protocol_rows = [row for row in rows if row["protocol"] == protocol]
        if not protocol_rows:
            continue
        values = metrics_by_system(protocol_rows)
        columns = [
            _metric_column(name, protocol_rows, values, color)
            for name in dict.fromkeys(row["metric"] for row in protocol_rows)
        ]
        groups = list(_groups(list(values), columns, width))
        title = textwrap.fill(f"{title} (n = {max(row['n'] for row in protocol_rows):,})", width)
        tables.append("\n".join([title, *groups[0]]))
        tables += ["\n".join(group) for group in groups[1:]]
    return "\n\n".join(tables)


def _metric_column(
    name: str, rows: list[dict[str, Any]], values: Mapping[str, Mapping[str, float | None]], color: bool
) -> MetricColumn:
    best = best_value(rows, name)
    marks = [
        values_of_system.get(name) is not None and values_of_system.get(name) == best
        for values_of_system in values.values()
    ]
    cells = [format_metric(values_of_system.get(name)) for values_of_system in values.values()]
    if not color:
        cells = [cell + ("*" if mark else " ") for cell, mark in zip(cells, marks, strict=True)]
    return MetricColumn([metric_heading(name), *cells], [False, *(mark and color for mark in marks)])


def _groups(systems: Sequence[str], columns: Sequence[MetricColumn], width: int) -> Iterator[list[str]]:
    """Yield the lines of tables with the systems' names and as many columns as fit."""
    names = shorten_names(["system", *systems], width - max(column.width for column in columns))
    max_width = width - max(map(cell_len, names))
    group: list[MetricColumn] = []
    for column in columns:
        if group and sum(member.width for member in [*group, column]) > max_width:
            yield join_columns(names, group)
            group = []
        group.append(column)
    yield join_columns(names, group)


def join_columns(names: Sequence[str], columns: Sequence[MetricColumn]) -> list[str]:
    """Return lines with names on the left and columns on the right."""
    align_right = [False, *(True for _ in columns)]
    lines = pad_cells(list(zip(names, *(column.cells for column in columns), strict=True)), align_right)
    bold = zip([False] * len(names), *(column.bold for column in columns), strict=True)
    return [
        GAP.join(f"{_BOLD}{cell}{_PLAIN}" if mark else cell for cell, mark in zip(cells, marks, strict=True)).rstrip()
        for cells, marks in zip(lines, bold, strict=True)
    ]


def shorten_names(names: Sequence[str], max_width: int) -> list[str]:
    """Shorten names to `max_width` terminal cells, without control characters."""
    return [shorten(name, max(max_width, _MIN_NAME_WIDTH)) for name in names]


def metric_heading(metric: str) -> str:
    """Return a metric's name, with an arrow if lower values are better."""
    return metric + (" ↓" if metric in LOWER_IS_BETTER else "")


def format_metric(value: float | None) -> str:
    """Format a metric's value with four decimals."""
    return "n/a" if value is None else f"{value:.4f}"
