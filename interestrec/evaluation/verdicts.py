"""What the figures say, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.evaluation.metric_rows import best
from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY, LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import OURS, is_part

HEADLINE = {IMPRESSIONS: "auc", CATALOGUE: "ndcg@10", INTENSITY: "rmse", BEYOND: "diversity"}
SIGNIFICANT = 0.05

Rows = Sequence[dict[str, Any]]


def headline(rows: Sequence[dict[str, Any]], protocol: str) -> str | None:
    """The metric that stands for a protocol: the usual one where it was computed, else the first."""
    names = list(dict.fromkeys(row["metric"] for row in rows if row["protocol"] == protocol))
    if HEADLINE[protocol] in names:
        return HEADLINE[protocol]
    return names[0] if names else None


def word(comparison: dict[str, Any]) -> str:
    """`better`, `worse` or `no evidence` for a row of schemas.COMPARISONS, at 5 % after Holm's correction."""
    if comparison["p_holm"] >= SIGNIFICANT or comparison["difference"] == 0:
        return "no evidence"
    higher = comparison["difference"] > 0
    return "better" if higher != (comparison["metric"] in LOWER_IS_BETTER) else "worse"


def best_part(
    metrics: Rows, comparisons: Rows, protocol: str, alone: Mapping[str, str]
) -> tuple[str, dict[str, Any]] | None:
    """The component that is the best system by itself, by the headline metric, and ours compared with it.

    Args:
        alone: component -> the system that it is alone.

    Returns:
        None where no component was ranked alone.
    """
    metric = headline(metrics, protocol)
    here = [row for row in _whole(metrics, protocol, metric) if row["system"] in alone.values()]
    if not here or metric is None:
        return None
    strongest = next(row["system"] for row in here if row["value"] == best(here, metric))
    found = [
        row
        for row in comparisons
        if (row["protocol"], row["slice"], row["metric"], row["system_b"]) == (protocol, ALL, metric, strongest)
    ]
    name = next(component for component, system in alone.items() if system == strongest)
    return (name, found[0]) if found else None


def blend_verdict(name: str, comparison: dict[str, Any]) -> str:
    """One sentence on whether blending pays: ours beside its best component alone."""
    figures = (
        f"{comparison['metric']} differs by {comparison['difference']:+.4f}, 95 % interval "
        f"{comparison['ci_low']:+.4f} to {comparison['ci_high']:+.4f}"
    )
    said = {
        "better": f"The blend is better than its best component alone, {name}",
        "worse": f"The blend is worse than its best component alone, {name}: let that one decide (rank.blend)",
        "no evidence": f"No evidence that the blend and its best component alone, {name}, differ",
    }
    return f"{said[word(comparison)]}: {figures}."


def strongest_rival(metrics: Rows, protocol: str, ours: str) -> str | None:
    """The best of the other systems by the headline metric over all lists, parts of ours left out; None without any."""
    metric = headline(metrics, protocol)
    others = [row for row in _whole(metrics, protocol, metric) if row["system"] != ours and not is_part(row["system"])]
    return next((row["system"] for row in others if row["value"] == best(others, str(metric))), None)


def _whole(metrics: Rows, protocol: str, metric: str | None) -> list[dict[str, Any]]:
    return [
        row
        for row in metrics
        if (row["protocol"], row["slice"], row["metric"]) == (protocol, ALL, metric) and row["value"] is not None
    ]


def all_verdicts(metrics: Rows, comparisons: Rows, alone: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What is to be said of ours by protocol, as JSON values: beside the strongest rival and its best component.

    Args:
        alone: see best_part.
    """
    said: dict[str, dict[str, Any]] = {}
    for protocol in dict.fromkeys(row["protocol"] for row in metrics):
        sentence = verdict(metrics, comparisons, protocol, OURS)
        if sentence is None:
            continue
        said[protocol] = {"rival": sentence}
        part = best_part(metrics, comparisons, protocol, alone) if protocol in (IMPRESSIONS, CATALOGUE) else None
        if part is not None:
            name, row = part
            figures = {key: row[key] for key in ("metric", "difference", "ci_low", "ci_high", "p_holm")}
            said[protocol] |= {
                "best_component": name,
                "blend": blend_verdict(name, row),
                "blend_minus_best": {**figures, "word": word(row)},
            }
    return said


def verdict(
    metrics: Sequence[dict[str, Any]], comparisons: Sequence[dict[str, Any]], protocol: str, ours: str
) -> str | None:
    """One sentence on how `ours` does against the strongest other system; None without either.

    Of lists beyond their accuracy no figure says which system is the stronger, so there is none either.
    """
    metric = headline(metrics, protocol)
    rows = _whole(metrics, protocol, metric)
    values = {row["system"]: row["value"] for row in rows}
    rival = strongest_rival(metrics, protocol, ours)
    if protocol == BEYOND or ours not in values or rival is None:
        return None
    strongest = {"system": rival, "value": values[rival]}
    if protocol == INTENSITY and strongest["value"] == 0:
        return f"There is nothing to learn about intensity here: {strongest['system']} is never wrong."
    found = [
        row
        for row in comparisons
        if (row["protocol"], row["slice"], row["metric"], row["system_b"])
        == (protocol, ALL, metric, strongest["system"])
    ]
    figures = f"{metric} {values[ours]:.4f} against {strongest['value']:.4f}"
    if not found:
        return f"{ours} has {figures} of {strongest['system']}, the strongest other system."
    row = found[0]
    interval = f"difference {row['difference']:+.4f}, 95 % interval {row['ci_low']:+.4f} to {row['ci_high']:+.4f}"
    claims = {
        "better": f"{ours} is better than {strongest['system']}, the strongest other system",
        "worse": f"{ours} is worse than {strongest['system']}, the strongest other system",
        "no evidence": f"No evidence that {ours} and {strongest['system']}, the strongest other system, differ",
    }
    return f"{claims[word(row)]}: {figures} ({interval})."
