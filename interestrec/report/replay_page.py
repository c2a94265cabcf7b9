"""The HTML page of a replay: one file without external resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.evaluation.verdicts import verdict_word
from interestrec.learning.replay_scores import HEADLINE_METRIC
from interestrec.learning.replay_statistics import policy_sentences
from interestrec.report import curve_plots, html

TEMPLATE = "replay.html.j2"
_MEGABYTE = 1_000_000

Rows = Sequence[dict[str, Any]]


def page(
    metrics: Rows,
    comparisons: Rows,
    costs: Rows,
    document: Mapping[str, Any],
    cost: Mapping[str, Any],
    window: str,
) -> str:
    """Return the page.

    Args:
        metrics: rows of report_schemas.REPLAY.
        comparisons: rows of REPLAY_COMPARISONS.
        costs: rows of REPLAY_COSTS.
        document: content of replay.json.
        cost: content of costs.json.
        window: length of a window as the configuration has it.
    """
    overall = [row for row in metrics if row["window"] is None]
    policies = list(dict.fromkeys(row["policy"] for row in overall))
    names = list(dict.fromkeys(row["metric"] for row in overall))
    cells = {(row["window"], row["policy"], row["metric"]): row for row in metrics}
    numbers = [row["window"] for row in document["windows"]]
    curves = {
        policy: [{"x": number, **cells[number, policy, HEADLINE_METRIC]} for number in numbers] for policy in policies
    }
    return html.template(TEMPLATE).render(
        version=__version__,
        metric=HEADLINE_METRIC,
        metrics=names,
        window=window,
        windows=[
            {**row, "cells": [cells[row["window"], policy, HEADLINE_METRIC] for policy in policies]}
            for row in document["windows"]
        ],
        policies=[
            {
                "name": policy,
                "cells": [cells[None, policy, metric] for metric in names],
                **_cost_of(policy, costs),
                **document["told"][policy],
            }
            for policy in policies
        ],
        sentences=policy_sentences(list(metrics), list(comparisons)),
        advice=cost["advice"],
        jobs=cost["jobs"],
        curve=curve_plots.curve_plot(curves, "window", HEADLINE_METRIC),
        seconds=curve_plots.curve_plot(_learning_curves(policies, costs), "window", "seconds to learn"),
        ages=[{**row, "seconds": cost["fit_seconds"][str(row["every"])]} for row in document["ages"]],
        compared=[
            {**row, "word": verdict_word(row)}
            for row in comparisons
            if row["window"] is None and row["metric"] == HEADLINE_METRIC
        ],
        interrupted=sum(row["attempts"] > 1 for row in costs),
    )


def _cost_of(policy: str, costs: Rows) -> dict[str, float]:
    """Return the seconds of both steps over all windows, and the most memory in megabytes."""
    own = [row for row in costs if row["policy"] == policy]
    seconds = {step: sum(row["seconds"] for row in own if row["step"] == step) for step in ("learn", "answer")}
    return {**seconds, "memory": max((row["memory"] for row in own), default=0) / _MEGABYTE}


def _learning_curves(policies: Sequence[str], costs: Rows) -> dict[str, list[dict[str, Any]]]:
    return {
        policy: [
            {"x": row["window"], "value": row["seconds"], "ci_low": None, "ci_high": None}
            for row in costs
            if row["policy"] == policy and row["step"] == "learn"
        ]
        for policy in policies
    }
