"""The HTML report: one file without external resources."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interestrec import __version__
from interestrec.evaluation.deletion_curves import AREA, deletion_sentences
from interestrec.evaluation.leak_audit import LOOK
from interestrec.evaluation.metric_rows import TITLES, best_value, metrics_by_system
from interestrec.evaluation.metric_sums import BEYOND, LOWER_IS_BETTER
from interestrec.evaluation.pair_parts import PARTS
from interestrec.evaluation.sampled_users import sample_sentence
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import headline, strongest_rival, verdict_word
from interestrec.io.schemas import BEFORE_RULES, OURS, is_part
from interestrec.report import plots
from interestrec.report.page_data import PageData

TEMPLATE = "report.html.j2"

if TYPE_CHECKING:
    from jinja2 import Template

Rows = Sequence[dict[str, Any]]


def template(name: str) -> "Template":
    """Return a template of this package with the filters that format figures."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("interestrec.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["signed"] = _signed
    environment.filters["share"] = lambda value: "n/a" if value is None else f"{value:.1%}"
    environment.filters["count"] = lambda value: "withheld" if value is None else f"{value:,}"
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return environment.get_template(name)


def page(
    metrics: Rows,
    comparisons: Rows,
    gaps: Rows,
    exposure: Rows,
    verdicts: Mapping[str, Mapping[str, Any]],
    evidence: PageData,
    quality: Any,
    systems: Mapping[str, Any],
    lineage: Mapping[str, Any],
    min_users: int = 1,
    suppressed: int = 0,
    deletions: Rows = (),
    tasks: Rows = (),
) -> str:
    """Return the report as HTML.

    Args:
        metrics: rows of report_schemas.METRICS.
        comparisons: rows of report_schemas.COMPARISONS.
        gaps: rows of report_schemas.GAPS.
        exposure: rows of report_schemas.EXPOSURE.
        verdicts: result of `all_verdicts`.
        quality: content of the corpus's quality.json.
        systems: content of the rankings' systems.json.
        lineage: configuration, input digests and seed of this evaluation.
        min_users: minimum number of users behind a figure; if above 1, counts with an unknown number of users are
            left out.
        suppressed: number of metric rows that are withheld because fewer users are behind them.
        deletions: result of `deletion_rows`.
        tasks: rows of report_schemas.TASK_METRICS.
    """
    blend = systems["systems"].get(OURS, {})
    protocols = [name for name in TITLES if _has_protocol(metrics, name)]
    alone = blend.get("alone", {})
    return template(TEMPLATE).render(
        version=__version__,
        our_system=OURS,
        protocols=[
            _protocol_section(name, metrics, comparisons, gaps, list(alone.values()), verdicts.get(name, {}))
            for name in protocols
        ],
        exposure=[row for row in exposure if row["system"] == OURS],
        checks=evidence.checks,
        warnings=[check for check in evidence.checks if check.verdict == LOOK],
        reliability=plots.reliability_plot(evidence.reliability) if evidence.reliability else None,
        ranks=plots.rank_plot(evidence.recall_by_rank, OURS) if evidence.recall_by_rank else None,
        training=plots.training_plot(evidence.training) if evidence.training else None,
        examples=evidence.examples,
        explanations=_explanations(deletions),
        tasks=tasks,
        rules=_rules(quality),
        quality=quality,
        blend=blend,
        components=list(blend.get("components", {})),
        systems=systems,
        lineage=lineage,
        min_users=min_users,
        suppressed=suppressed,
        sampled=sample_sentence(systems.get("counts", {})),
    )


def _explanations(deletions: Rows) -> dict[str, Any] | None:
    """Return the sentences, the plot and the table of the deletion test; None without one."""
    if not deletions:
        return None
    return {
        "sentences": deletion_sentences(deletions),
        "plot": plots.deletion_plot([row for row in deletions if row["segment"] == ALL and row["removed"] != AREA]),
        "rows": [row for row in deletions if row["removed"] == AREA],
    }


def _has_protocol(rows: Rows, protocol: str) -> bool:
    return any(row["protocol"] == protocol for row in rows)


def _protocol_section(
    name: str, metrics: Rows, comparisons: Rows, gaps: Rows, alone: Sequence[str], verdict: Mapping[str, Any]
) -> dict[str, Any]:
    rows = [row for row in metrics if row["protocol"] == name]
    main_metric = str(headline(metrics, name))
    overall = [row for row in rows if row["slice"] == ALL]
    plotted = [
        row
        for row in overall
        if row["metric"] == main_metric and row["value"] is not None and not is_part(row["system"])
    ]
    if name == BEYOND:  # none of its metrics says which system is better
        plotted = []
    plotted.sort(key=lambda row: row["value"], reverse=main_metric not in LOWER_IS_BETTER)
    direction = "lower is better" if main_metric in LOWER_IS_BETTER else "higher is better"
    comparison_rows = [row for row in comparisons if (row["protocol"], row["metric"]) == (name, main_metric)]
    return {
        "name": name,
        "title": TITLES[name],
        "verdict": verdict.get("rival"),
        "blend": verdict.get("blend"),
        "headline": main_metric,
        "plot": plots.interval_plot(plotted, f"{main_metric}, {direction}", our_system=OURS) if plotted else None,
        "table": _table([row for row in overall if not is_part(row["system"])]),
        "parts": _table([row for row in overall if is_part(row["system"]) or row["system"] in (OURS, *alone)])
        if any(is_part(row["system"]) for row in overall)
        else None,
        "comparisons": [
            {**row, "word": verdict_word(row)}
            for row in comparison_rows
            if row["slice"] == ALL and not is_part(row["system_b"]) and name != BEYOND
        ],
        "unruled": [{**row, "word": verdict_word(row)} for row in comparison_rows if row["system_b"] == BEFORE_RULES],
        "pairs": _pair_table(rows, main_metric),
        "pair_verdict": verdict.get("pairs", {}).get("sentence"),
        "modalities": [part["sentence"] for part in verdict.get("modalities", [])],
        **_slices(rows, comparisons, name, main_metric),
        "gaps": [row for row in gaps if (row["protocol"], row["metric"]) == (name, main_metric)],
    }


def _slices(rows: Rows, comparisons: Rows, protocol: str, main_metric: str) -> dict[str, Any]:
    """Return our system by slices next to the strongest rival over all lists, as rows and as a plot."""
    our_rows = [
        row for row in rows if row["system"] == OURS and row["metric"] == main_metric and row["value"] is not None
    ]
    overall_value = next((row["value"] for row in our_rows if row["slice"] == ALL), None)
    slice_rows = [row for row in our_rows if row["slice"] != ALL]
    rival = strongest_rival(rows, protocol, OURS)
    if not slice_rows or rival is None:
        return {"slices": [], "slice_plot": None, "rival": None}
    values = {row["slice"]: row["value"] for row in rows if (row["system"], row["metric"]) == (rival, main_metric)}
    comparison_by_slice = {
        row["slice"]: row
        for row in comparisons
        if (row["protocol"], row["metric"], row["system_b"]) == (protocol, main_metric, rival)
    }
    table_rows = [
        {**row, "rival": values.get(row["slice"]), "compared": comparison_by_slice.get(row["slice"])}
        for row in slice_rows
    ]
    for row in table_rows:
        row["word"] = verdict_word(row["compared"]) if row["compared"] else ""
    return {
        "slices": table_rows,
        "slice_plot": plots.interval_plot(
            slice_rows, f"{main_metric} of {OURS}; dashed: all", name_column="slice", line=overall_value
        ),
        "rival": rival,
    }


def _table(rows: Rows) -> dict[str, Any]:
    cells = {(row["system"], row["metric"]): row for row in rows}
    names = list(dict.fromkeys(row["metric"] for row in rows if row["value"] is not None))
    first = rows[0]["system"]
    return {
        "metrics": [{"name": metric, "lower": metric in LOWER_IS_BETTER} for metric in names],
        "best": {metric: best_value(list(rows), metric) for metric in names},
        "rows": [{"system": s, "cells": [cells[s, metric] for metric in names]} for s in metrics_by_system(list(rows))],
        "counts": [{"n": cells[first, metric]["n"], "dropped": cells[first, metric]["dropped"]} for metric in names],
    }


def _pair_table(rows: Rows, main_metric: str) -> dict[str, Any] | None:
    """Return all systems by the parts of the pairs, which take the place of metrics; None if no part is reported."""
    parts = [{**row, "metric": row["slice"]} for row in rows if row["metric"] == main_metric and row["slice"] in PARTS]
    return _table(parts) if any(row["value"] is not None for row in parts) else None


def _rules(quality: Any) -> list[dict[str, Any]]:
    """Return the cleaning rules of quality.json if it lists them."""
    rules = quality.get("rules", []) if isinstance(quality, dict) else []
    return [rule for rule in rules if isinstance(rule, dict)]


def _signed(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:+.4f}" if math.isfinite(value) else f"{value:+}".replace("inf", "∞")


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
