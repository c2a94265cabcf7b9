"""Sentences that state what the metrics and comparisons show."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.evaluation.metric_rows import best_value
from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY, LOWER_IS_BETTER
from interestrec.evaluation.slices import ALL
from interestrec.io.schemas import OURS, is_part

HEADLINE = {IMPRESSIONS: "auc", CATALOGUE: "ndcg@10", INTENSITY: "rmse", BEYOND: "diversity"}
SIGNIFICANT = 0.05
FEW_USERS = 10  # with fewer users an interval is unreliable: with five users, the smallest possible p is 0.06

BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence"
UNCORRECTED_SUFFIX = " before correction"  # the interval excludes 0, but Holm's p is at least 0.05

Rows = Sequence[dict[str, Any]]


def headline(rows: Sequence[dict[str, Any]], protocol: str) -> str | None:
    """Return a protocol's headline metric if it was computed, else the first metric."""
    names = list(dict.fromkeys(row["metric"] for row in rows if row["protocol"] == protocol))
    if HEADLINE[protocol] in names:
        return HEADLINE[protocol]
    return names[0] if names else None


def verdict_word(comparison: dict[str, Any]) -> str:
    """Classify a row of report_schemas.COMPARISONS at the 5 % level.

    Returns:
        `better` or `worse` if the difference is significant after Holm's correction; the same with `before correction`
        if only the interval excludes 0; else `no evidence`.
    """
    if comparison["ci_low"] <= 0 <= comparison["ci_high"]:
        return NO_EVIDENCE
    higher = comparison["difference"] > 0
    plain = BETTER if higher != (comparison["metric"] in LOWER_IS_BETTER) else WORSE
    return plain if comparison["p_holm"] < SIGNIFICANT else plain + UNCORRECTED_SUFFIX


def comparison_figures(comparison: dict[str, Any]) -> dict[str, float | None]:
    """Return the figures of a row of report_schemas.COMPARISONS as JSON values, None for unbounded ends."""
    ends = {name: comparison[name] if math.isfinite(comparison[name]) else None for name in ("ci_low", "ci_high")}
    return {"difference": comparison["difference"], **ends, "p_holm": comparison["p_holm"]}


def best_component(
    metrics: Rows, comparisons: Rows, protocol: str, component_systems: Mapping[str, str]
) -> tuple[str, dict[str, Any], int] | None:
    """Return the component that ranks best on its own by the headline metric.

    Args:
        component_systems: component -> the system that ranks by this component alone.

    Returns:
        The component, the comparison of our system with it, and the number of comparisons in its Holm family; None if
        no component was ranked alone.
    """
    metric = headline(metrics, protocol)
    rows = [row for row in _overall_rows(metrics, protocol, metric) if row["system"] in component_systems.values()]
    if not rows or metric is None:
        return None
    strongest = next(row["system"] for row in rows if row["value"] == best_value(rows, metric))
    comparison = _comparison_with(comparisons, protocol, metric, strongest)
    name = next(component for component, system in component_systems.items() if system == strongest)
    return None if comparison is None else (name, *comparison)


def blend_verdict(name: str, comparison: dict[str, Any], n_comparisons: int, users: int) -> str:
    """Return the sentence that compares the blend with its best component alone.

    Args:
        n_comparisons: number of comparisons that Holm's correction covers.
        users: number of users behind the comparison.
    """
    claims = {
        BETTER: f"The blend is better than its best component alone, {name}",
        WORSE: f"The blend is worse than its best component alone, {name}: let that one decide (rank.blend)",
        BETTER + UNCORRECTED_SUFFIX: f"The blend may be better than its best component alone, {name}",
        WORSE + UNCORRECTED_SUFFIX: f"The blend may be worse than its best component alone, {name}",
        NO_EVIDENCE: f"No evidence that the blend and its best component alone, {name}, differ",
    }
    claim = claims[verdict_word(comparison)]
    figures = f"{comparison['metric']} ({inference(comparison, users)})"
    return f"{claim}: {figures}.{_caveats(comparison, n_comparisons, users)}"


def inference(comparison: dict[str, Any], users: int | None) -> str:
    """Return the difference, its interval and, unless withheld, the number of users as text."""
    low, high = comparison["ci_low"], comparison["ci_high"]
    interval = (
        f"95 % interval {_endpoint(low)} to {_endpoint(high)}" if math.isfinite(low) else "no bounded 95 % interval"
    )
    n_users = "" if users is None else f", {users:,} users"
    return f"difference {comparison['difference']:+.4f}, {interval}{n_users}"


def _endpoint(value: float) -> str:
    """Format an endpoint of an interval; small values keep a digit instead of being rounded to 0."""
    return f"{value:+.4f}" if value == 0 or abs(value) >= 0.00005 else f"{value:+.1e}"


def _caveats(comparison: dict[str, Any], n_comparisons: int, users: int | None) -> str:
    """Return caveats about an interval as sentences, each with a leading space."""
    sentences = ""
    if verdict_word(comparison).endswith(UNCORRECTED_SUFFIX):
        p = f"p is {comparison['p_holm']:.2g}"
        sentences += f" The interval excludes 0, but after correction for {n_comparisons} comparisons {p}."
    if users is not None and users < FEW_USERS:
        sentences += f" {users} users are too few for a reliable interval."
    return sentences


def _comparison_with(
    comparisons: Rows, protocol: str, metric: str | None, system: str
) -> tuple[dict[str, Any], int] | None:
    """Return our system's comparison with a system over all lists, and the size of its Holm family."""
    rows = [row for row in comparisons if (row["protocol"], row["slice"], row["metric"]) == (protocol, ALL, metric)]
    n_comparisons = [row for row in rows if is_part(row["system_b"]) == is_part(system)]
    row = next((row for row in n_comparisons if row["system_b"] == system), None)
    return None if row is None else (row, len(n_comparisons))


def strongest_rival(metrics: Rows, protocol: str, our_system: str) -> str | None:
    """Return the best other system by the headline metric over all lists, without components of ours; None if none."""
    metric = headline(metrics, protocol)
    others = [
        row
        for row in _overall_rows(metrics, protocol, metric)
        if row["system"] != our_system and not is_part(row["system"])
    ]
    return next((row["system"] for row in others if row["value"] == best_value(others, str(metric))), None)


def _overall_rows(metrics: Rows, protocol: str, metric: str | None) -> list[dict[str, Any]]:
    return [
        row
        for row in metrics
        if (row["protocol"], row["slice"], row["metric"]) == (protocol, ALL, metric) and row["value"] is not None
    ]


def all_verdicts(
    metrics: Rows, comparisons: Rows, component_systems: Mapping[str, str], users: Mapping[tuple[str, str], int]
) -> dict[str, dict[str, Any]]:
    """Return the verdicts on our system per protocol as JSON values: against the strongest rival and best component.

    Args:
        component_systems: see best_component.
        users: number of users behind a metric, by protocol and metric.
    """
    sentences: dict[str, dict[str, Any]] = {}
    for protocol in dict.fromkeys(row["protocol"] for row in metrics):
        n_users = users.get((protocol, str(headline(metrics, protocol))), 0)
        sentence = rival_verdict(metrics, comparisons, protocol, OURS, n_users)
        if sentence is None:
            continue
        sentences[protocol] = {"rival": sentence, "users": n_users}
        component = (
            best_component(metrics, comparisons, protocol, component_systems)
            if protocol in (IMPRESSIONS, CATALOGUE)
            else None
        )
        if component is not None:
            name, row, n_comparisons = component
            sentences[protocol] |= {
                "best_component": name,
                "blend": blend_verdict(name, row, n_comparisons, n_users),
                "blend_minus_best": {"metric": row["metric"], **comparison_figures(row), "word": verdict_word(row)},
            }
    return sentences


def rival_verdict(
    metrics: Sequence[dict[str, Any]],
    comparisons: Sequence[dict[str, Any]],
    protocol: str,
    our_system: str,
    users: int | None,
) -> str | None:
    """Return the sentence that compares `our_system` with the strongest other system; None if one of them is missing.

    Claim, interval and number of users come from one test: there is no evidence exactly if the interval contains 0, and
    if Holm's correction removes the significance that the interval shows, the sentence says so.

    The protocol `beyond` has no verdict, because none of its metrics says which system is better.
    """
    metric = headline(metrics, protocol)
    rows = _overall_rows(metrics, protocol, metric)
    values = {row["system"]: row["value"] for row in rows}
    rival = strongest_rival(metrics, protocol, our_system)
    if protocol == BEYOND or our_system not in values or rival is None:
        return None
    strongest = {"system": rival, "value": values[rival]}
    if protocol == INTENSITY and strongest["value"] == 0:
        return f"There is nothing to learn about intensity here: {strongest['system']} is never wrong."
    comparison = _comparison_with(comparisons, protocol, metric, rival)
    figures = f"{metric} {values[our_system]:.4f} against {strongest['value']:.4f}"
    if comparison is None:
        return f"{our_system} has {figures} of {strongest['system']}, the strongest other system."
    row, n_comparisons = comparison
    other = f"{rival}, the strongest other system"
    claims = {
        BETTER: f"{our_system} is better than {other}",
        WORSE: f"{our_system} is worse than {other}",
        BETTER + UNCORRECTED_SUFFIX: f"{our_system} may be better than {other}",
        WORSE + UNCORRECTED_SUFFIX: f"{our_system} may be worse than {other}",
        NO_EVIDENCE: f"No evidence that {our_system} and {other}, differ",
    }
    return f"{claims[verdict_word(row)]}: {figures} ({inference(row, users)}).{_caveats(row, n_comparisons, users)}"
