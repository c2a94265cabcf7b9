"""The HTML page of a search: one file without external resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec import __version__
from interestrec.evaluation.metric_sums import LOWER_IS_BETTER
from interestrec.learning.setting_importance import LEAST_TRIALS, SearchImportance, setting_importance
from interestrec.learning.tuned_systems import MODEL
from interestrec.learning.tuning_sentences import budget_sentence, importance_sentence, system_sentence
from interestrec.learning.tuning_tables import COMPLETE, FAILED, HALVED
from interestrec.report import html, search_plots
from interestrec.report.search_plots import DrawnTrials
from interestrec.report.setting_axis import category_name

TEMPLATE = "tuning.html.j2"

Rows = Sequence[Mapping[str, Any]]


def page(document: Mapping[str, Any], trials: Rows, curves: Rows) -> str:
    """Return the page.

    Args:
        document: content of tuning.json.
        trials: rows of report_schemas.TRIALS.
        curves: rows of report_schemas.CURVES.
    """
    names = sorted(document["systems"], key=lambda name: (name != MODEL, name))
    systems = [
        _section(
            name, document["systems"][name], *([row for row in t if row["system"] == name] for t in (trials, curves))
        )
        for name in names
    ]
    return html.template(TEMPLATE).render(
        version=__version__,
        budget=budget_sentence(document["budget"], len(systems)),
        least_trials=LEAST_TRIALS,
        systems=systems,
        has_changes=any(system["changes"] for system in systems),
        has_lower=any(system["lower"] for system in systems),
    )


def _section(name: str, one: Mapping[str, Any], trials: Rows, curves: Rows) -> dict[str, Any]:
    metric = one["metric"]
    lower = metric in LOWER_IS_BETTER
    drawn = DrawnTrials([row for row in trials if row["value"] is not None], metric, lower)
    space = dict(sorted(one["space"].items()))
    importance = setting_importance(space, trials, curves, lower)
    changes = _changes(one["configured"], one["chosen"])
    return {
        **one,
        "name": name,
        "lower": lower,
        "sentence": system_sentence(name, one),
        "changes": changes,
        "untaken": [] if changes else _changes(one["configured"], one["found"]),
        "is_open": name == MODEL or bool(changes),
        "states": {state: sum(row["state"] == state for row in trials) for state in (COMPLETE, HALVED, FAILED)},
        "importance": importance_sentence(importance, one["unit"]) if importance else None,
        "plots": _plots(drawn, space, curves, one["unit"], importance) if drawn.rows and space else {},
    }


def _plots(
    drawn: DrawnTrials,
    space: Mapping[str, Mapping[str, Any]],
    curves: Rows,
    unit: str,
    importance: SearchImportance | None,
) -> dict[str, Any]:
    """Return the plots of a system by name; None where there is nothing to see."""
    axes = [drawn.axis(key, dimension) for key, dimension in space.items()]
    has_curves = len({point["rung"] for point in curves if point["rung"] > 0}) > 1
    return {
        "importance": search_plots.importance_plot(importance) if importance else None,
        "slices": [search_plots.slice_plot(drawn, axis) for axis in axes],
        "parallel": search_plots.parallel_plot(drawn, axes) if len(drawn.rows) > 1 else None,
        "curves": search_plots.curves_plot(drawn, curves, unit) if has_curves else None,
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the settings that differ."""
    return [
        {"key": key, "before": category_name(before[key]), "after": category_name(after[key])}
        for key in sorted(before)
        if before[key] != after[key]
    ]
