"""The page for people: one file without anything from elsewhere."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.evaluation.leak_audit import LOOK
from interestrec.evaluation.metric_rows import TITLES, best, by_system
from interestrec.evaluation.metric_sums import BEYOND, LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import headline, strongest_rival, word
from interestrec.io.schemas import BEFORE_RULES, OURS, is_part
from interestrec.report import plots
from interestrec.report.page_data import PageData

TEMPLATE = "report.html.j2"

Rows = Sequence[dict[str, Any]]


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
) -> str:
    """The report as HTML.

    Args:
        metrics: rows of schemas.METRICS.
        comparisons: rows of schemas.COMPARISONS.
        gaps: rows of schemas.GAPS.
        exposure: rows of schemas.EXPOSURE.
        verdicts: what `all_verdicts` says.
        quality: content of the corpus's quality.json.
        systems: content of the rankings' systems.json.
        lineage: configuration, input digests and seed of this evaluation.
        min_users: least users behind a figure; above 1, counts of which nobody knows of how many users they are stay
            out of the page.
        suppressed: rows of metrics that are left out for being of fewer.
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
    environment.filters["signed"] = _signed
    environment.filters["share"] = lambda value: "n/a" if value is None else f"{value:.1%}"
    environment.filters["count"] = lambda value: "withheld" if value is None else f"{value:,}"
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    blend = systems["systems"].get(OURS, {})
    protocols = [name for name in TITLES if _any(metrics, name)]
    alone = blend.get("alone", {})
    return environment.get_template(TEMPLATE).render(
        version=__version__,
        ours=OURS,
        protocols=[
            _protocol(name, metrics, comparisons, gaps, list(alone.values()), verdicts.get(name, {}))
            for name in protocols
        ],
        exposure=[row for row in exposure if row["system"] == OURS],
        checks=evidence.checks,
        worries=[check for check in evidence.checks if check.verdict == LOOK],
        reliability=plots.reliability_plot(evidence.reliability) if evidence.reliability else None,
        ranks=plots.rank_plot(evidence.found_by_rank, OURS) if evidence.found_by_rank else None,
        training=plots.training_plot(evidence.training) if evidence.training else None,
        examples=evidence.examples,
        rules=_rules(quality),
        quality=quality,
        blend=blend,
        components=list(blend.get("components", {})),
        systems=systems,
        lineage=lineage,
        min_users=min_users,
        suppressed=suppressed,
    )


def _any(rows: Rows, protocol: str) -> bool:
    return any(row["protocol"] == protocol for row in rows)


def _protocol(
    name: str, metrics: Rows, comparisons: Rows, gaps: Rows, alone: Sequence[str], said: Mapping[str, Any]
) -> dict[str, Any]:
    rows = [row for row in metrics if row["protocol"] == name]
    main = str(headline(metrics, name))
    here = [row for row in rows if row["slice"] == ALL]
    ranked = [row for row in here if row["metric"] == main and row["value"] is not None and not is_part(row["system"])]
    if name == BEYOND:  # no figure of it says which system is better
        ranked = []
    ranked.sort(key=lambda row: row["value"], reverse=main not in LOWER_IS_BETTER)
    direction = "lower is better" if main in LOWER_IS_BETTER else "higher is better"
    compared = [row for row in comparisons if (row["protocol"], row["metric"]) == (name, main)]
    return {
        "name": name,
        "title": TITLES[name],
        "verdict": said.get("rival"),
        "blend": said.get("blend"),
        "headline": main,
        "plot": plots.interval_plot(ranked, f"{main}, {direction}", ours=OURS) if ranked else None,
        "table": _table([row for row in here if not is_part(row["system"])]),
        "parts": _table([row for row in here if is_part(row["system"]) or row["system"] in (OURS, *alone)])
        if any(is_part(row["system"]) for row in here)
        else None,
        "comparisons": [
            {**row, "word": word(row)}
            for row in compared
            if row["slice"] == ALL and not is_part(row["system_b"]) and name != BEYOND
        ],
        "unruled": [{**row, "word": word(row)} for row in compared if row["system_b"] == BEFORE_RULES],
        **_slices(rows, comparisons, name, main),
        "gaps": [row for row in gaps if (row["protocol"], row["metric"]) == (name, main)],
    }


def _slices(rows: Rows, comparisons: Rows, protocol: str, main: str) -> dict[str, Any]:
    """Ours by slices, each beside the strongest rival over all lists, as rows and as a plot."""
    ours = [row for row in rows if row["system"] == OURS and row["metric"] == main and row["value"] is not None]
    whole = next((row["value"] for row in ours if row["slice"] == ALL), None)
    parts = [row for row in ours if row["slice"] != ALL]
    rival = strongest_rival(rows, protocol, OURS)
    if not parts or rival is None:
        return {"slices": [], "slice_plot": None, "rival": None}
    values = {row["slice"]: row["value"] for row in rows if (row["system"], row["metric"]) == (rival, main)}
    compared = {
        row["slice"]: row
        for row in comparisons
        if (row["protocol"], row["metric"], row["system_b"]) == (protocol, main, rival)
    }
    listed = [{**row, "rival": values.get(row["slice"]), "compared": compared.get(row["slice"])} for row in parts]
    for row in listed:
        row["word"] = word(row["compared"]) if row["compared"] else ""
    return {
        "slices": listed,
        "slice_plot": plots.interval_plot(parts, f"{main} of {OURS}; dashed: all", name="slice", line=whole),
        "rival": rival,
    }


def _table(here: Rows) -> dict[str, Any]:
    cells = {(row["system"], row["metric"]): row for row in here}
    names = list(dict.fromkeys(row["metric"] for row in here if row["value"] is not None))
    first = here[0]["system"]
    return {
        "metrics": [{"name": metric, "lower": metric in LOWER_IS_BETTER} for metric in names],
        "best": {metric: best(list(here), metric) for metric in names},
        "rows": [{"system": s, "cells": [cells[s, metric] for metric in names]} for s in by_system(list(here))],
        "counts": [{"n": cells[first, metric]["n"], "dropped": cells[first, metric]["dropped"]} for metric in names],
    }


def _rules(quality: Any) -> list[dict[str, Any]]:
    """The cleaning rules of quality.json, where it lists them."""
    rules = quality.get("rules", []) if isinstance(quality, dict) else []
    return [rule for rule in rules if isinstance(rule, dict)]


def _signed(value: float | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:+.4f}" if math.isfinite(value) else f"{value:+}".replace("inf", "∞")


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
