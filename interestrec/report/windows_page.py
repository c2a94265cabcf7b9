"""The HTML page of several test windows: one file without external resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.evaluation.metric_rows import TITLES
from interestrec.evaluation.metric_sums import LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.windows import window_sentence
from interestrec.io.schemas import OURS, is_part
from interestrec.report import html, plots

TEMPLATE = "windows.html.j2"


def page(metrics: Sequence[dict[str, Any]], document: Mapping[str, Any], min_users: int = 1) -> str:
    """Return the page.

    Args:
        metrics: rows of report_schemas.WINDOW_METRICS.
        document: content of windows.json.
        min_users: minimum number of users behind a figure.
    """
    numbers = [window["window"] for window in document["windows"]]
    protocols = [
        _protocol_section(name, metrics, document["verdicts"][name], numbers)
        for name in TITLES
        if name in document["verdicts"]
    ]
    return html.template(TEMPLATE).render(
        version=__version__,
        our_system=OURS,
        windows=document["windows"],
        protocols=protocols,
        min_users=min_users,
    )


def _protocol_section(
    name: str, metrics: Sequence[dict[str, Any]], verdict: Mapping[str, Any], numbers: Sequence[int]
) -> dict[str, Any]:
    metric = verdict["metric"]
    rows = [row for row in metrics if (row["protocol"], row["slice"], row["metric"]) == (name, ALL, metric)]
    cells = {(row["system"], row["window"]): row for row in rows}
    means = [row for row in rows if row["window"] is None and row["value"] is not None]
    means.sort(key=lambda row: row["value"], reverse=metric not in LOWER_IS_BETTER)
    rivals = [row for row in means if not is_part(row["system"])]
    return {
        "title": TITLES[name],
        "metric": metric,
        "sentence": window_sentence(verdict, len(numbers)) if verdict["rival"] else None,
        "plot": plots.interval_plot(rivals, f"{metric}, mean over windows", our_system=OURS),
        "rows": [{"mean": row, "cells": [cells.get((row["system"], number)) for number in numbers]} for row in means],
        "against": verdict["against"],
    }
