"""The page for people: one file without anything from elsewhere."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.report.cells import LOWER_IS_BETTER
from interestrec.report.plots import interval_plot
from interestrec.report.slices import ALL
from interestrec.report.table import OURS, TITLES, best, by_system
from interestrec.report.verdicts import headline, verdict, word

TEMPLATE = "report.html.j2"

Rows = Sequence[dict[str, Any]]


def page(
    metrics: Rows,
    comparisons: Rows,
    quality: Any,
    systems: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> str:
    """The report as HTML.

    Args:
        metrics: rows of schemas.METRICS.
        comparisons: rows of schemas.COMPARISONS.
        quality: content of the corpus's quality.json.
        systems: content of the rankings' systems.json.
        lineage: configuration, input digests and seed of this evaluation.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("interestrec.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return environment.get_template(TEMPLATE).render(
        version=__version__,
        protocols=[_protocol(metrics, comparisons, name) for name in TITLES if _any(metrics, name)],
        rules=_rules(quality),
        quality=quality,
        blend=systems["systems"].get(OURS, {}),
        systems=systems,
        lineage=lineage,
        ours=OURS,
    )


def _any(rows: Rows, protocol: str) -> bool:
    return any(row["protocol"] == protocol for row in rows)


def _protocol(metrics: Rows, comparisons: Rows, name: str) -> dict[str, Any]:
    rows = [row for row in metrics if row["protocol"] == name]
    main = str(headline(metrics, name))
    plotted = [row for row in rows if row["slice"] == ALL and row["metric"] == main and row["value"] is not None]
    plotted.sort(key=lambda row: row["value"], reverse=main not in LOWER_IS_BETTER)
    direction = "lower is better" if main in LOWER_IS_BETTER else "higher is better"
    return {
        "title": TITLES[name],
        "verdict": verdict(metrics, comparisons, name, OURS),
        "headline": main,
        "plot": interval_plot(plotted, OURS, f"{main}, {direction}") if plotted else None,
        "slices": [_slice(rows, part) for part in dict.fromkeys(row["slice"] for row in rows)],
        "comparisons": [
            {**row, "word": word(row)} for row in comparisons if row["protocol"] == name and row["metric"] == main
        ],
    }


def _slice(rows: Rows, name: str) -> dict[str, Any]:
    here = [row for row in rows if row["slice"] == name]
    cells = {(row["system"], row["metric"]): row for row in here}
    names = list(dict.fromkeys(row["metric"] for row in here))
    return {
        "name": name,
        "metrics": [{"name": metric, "lower": metric in LOWER_IS_BETTER} for metric in names],
        "best": {metric: best(here, metric) for metric in names},
        "rows": [{"system": s, "cells": [cells[s, metric] for metric in names]} for s in by_system(here)],
        "counts": [
            {
                "metric": metric,
                "n": cells[here[0]["system"], metric]["n"],
                "dropped": cells[here[0]["system"], metric]["dropped"],
            }
            for metric in names
        ],
    }


def _rules(quality: Any) -> list[dict[str, Any]]:
    """The cleaning rules of quality.json, where it lists them."""
    rules = quality.get("rules", []) if isinstance(quality, dict) else []
    return [rule for rule in rules if isinstance(rule, dict)]


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
