"""The end of a run: sentences on the result, one table, and the path of the report."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from interestrec.core.printable import printable
from interestrec.evaluation.metric_rows import TITLES
from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY, LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import headline
from interestrec.io.schemas import OURS, is_part
from interestrec.report.metrics_table import MetricColumn, format_metric, join_columns, metric_heading, shorten_names

MIN_WIDTH, MAX_WIDTH = 60, 80  # width of the table in columns of the terminal

_FURTHER_METRICS = {  # shown beside the deciding metric if they were computed
    IMPRESSIONS: ("mrr", "ndcg@10"),
    CATALOGUE: ("recall@20", "hit@10"),
    INTENSITY: ("mae", "spearman"),
}

Rows = Sequence[dict[str, Any]]


def conclusion(
    metrics: Rows,
    verdicts: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str],
    warnings: Sequence[str],
    report: str,
    width: int | None = None,
    color: bool = False,
) -> str:
    """Return the end of a run as text.

    Args:
        metrics: rows of report_schemas.METRICS.
        verdicts: result of `all_verdicts`.
        notes: sentences on the requirements that hold.
        warnings: sentences that the user must not miss.
        report: path of the HTML report.
        width: columns of the terminal, at which sentences are wrapped; None without a terminal, for one line each.
        color: whether our system is printed in bold type.
    """
    lines = [
        *verdict_sentences(verdicts, deciding_protocol(metrics)),
        *notes,
        *(f"Warning: {warning}" for warning in warnings),
    ]
    lines = [printable(sentence) for sentence in lines]
    if width is not None:
        lines = [
            textwrap.fill(line, max(MIN_WIDTH, width), break_long_words=False, break_on_hyphens=False) for line in lines
        ]
    table = deciding_table(metrics, MAX_WIDTH if width is None else min(max(width, MIN_WIDTH), MAX_WIDTH), color)
    return "\n\n".join(part for part in ("\n".join(lines), table, f"report: {report}") if part)


def verdict_sentences(verdicts: Mapping[str, Mapping[str, Any]], first: str | None) -> list[str]:
    """Return the sentences on our system, those of the protocol `first` before the others."""
    protocols = sorted((name for name in TITLES if name in verdicts), key=lambda name: name != first)
    return [
        f"{TITLES[name]}: {verdicts[name][key]}" if key == "rival" else str(verdicts[name][key])
        for name in protocols
        for key in ("rival", "blend")
        if key in verdicts[name]
    ]


def deciding_protocol(metrics: Rows) -> str | None:
    """Return the first protocol for which a system has the headline metric over all lists."""
    for protocol in (name for name in TITLES if name != BEYOND):
        if _metric_rows(metrics, protocol, headline(metrics, protocol)):
            return protocol
    return None


def deciding_table(metrics: Rows, width: int, color: bool = False) -> str:
    """Return a table of systems ordered by the deciding metric, with its interval and up to two further metrics.

    If the width is too small, further metrics are left out first, then systems' names are shortened; numbers never
    are. The table is empty if no protocol decides.
    """
    protocol = deciding_protocol(metrics)
    metric = headline(metrics, protocol) if protocol else None
    if protocol is None or metric is None:
        return ""
    rows = _metric_rows(metrics, protocol, metric)
    sign = 1 if metric in LOWER_IS_BETTER else -1
    rows = sorted(rows, key=lambda row: (sign * row["value"], row["system"] != OURS))
    bold = [False, *(color and row["system"] == OURS for row in rows)]
    intervals = [
        "n/a" if row["ci_low"] is None else f"{format_metric(row['ci_low'])} to {format_metric(row['ci_high'])}"
        for row in rows
    ]
    columns = [
        MetricColumn([metric_heading(metric), *(format_metric(row["value"]) for row in rows)], bold),
        MetricColumn(["95 % interval", *intervals], bold),
    ]
    for name in _further_metrics(metrics, protocol, metric):
        values = {row["system"]: row["value"] for row in _metric_rows(metrics, protocol, name)}
        columns.append(
            MetricColumn([metric_heading(name), *(format_metric(values.get(row["system"])) for row in rows)], bold)
        )
    names = ["system", *(row["system"] for row in rows)]
    while len(columns) > 2 and max(map(cell_len, names)) + sum(column.width for column in columns) > width:
        columns.pop()
    names = shorten_names(names, width - sum(column.width for column in columns))
    title = f"{TITLES[protocol]}, by {metric} (n = {max(row['n'] for row in rows):,})"
    return "\n".join([title, *join_columns(names, columns)])


def _further_metrics(metrics: Rows, protocol: str, metric: str) -> list[str]:
    """Return two further metrics that were computed: the preferred ones, then the first others."""
    names = dict.fromkeys(row["metric"] for row in metrics if row["protocol"] == protocol and row["slice"] == ALL)
    available = [name for name in names if name != metric and _metric_rows(metrics, protocol, name)]
    preferred = [name for name in _FURTHER_METRICS[protocol] if name in available]
    return [*preferred, *(name for name in available if name not in preferred)][:2]


def _metric_rows(metrics: Rows, protocol: str, metric: str | None) -> list[dict[str, Any]]:
    """Return a metric's rows over all lists, without missing values and components of our system."""
    return [
        row
        for row in metrics
        if (row["protocol"], row["slice"], row["metric"]) == (protocol, ALL, metric)
        and row["value"] is not None
        and not is_part(row["system"])
    ]
