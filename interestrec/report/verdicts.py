"""What the figures say, in words."""

from collections.abc import Sequence
from typing import Any

from interestrec.report.cells import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY, LOWER_IS_BETTER
from interestrec.report.slices import ALL
from interestrec.report.table import best, by_system

HEADLINE = {IMPRESSIONS: "auc", CATALOGUE: "ndcg@10", INTENSITY: "rmse", BEYOND: "diversity"}
SIGNIFICANT = 0.05


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


def verdict(
    metrics: Sequence[dict[str, Any]], comparisons: Sequence[dict[str, Any]], protocol: str, ours: str
) -> str | None:
    """One sentence on how `ours` does against the strongest other system; None without either.

    Of lists beyond their accuracy no figure says which system is the stronger, so there is none either.
    """
    if protocol == BEYOND:
        return None
    metric = headline(metrics, protocol)
    rows = [
        row
        for row in metrics
        if row["protocol"] == protocol and row["slice"] == ALL and row["metric"] == metric and row["value"] is not None
    ]
    values = {system: value[str(metric)] for system, value in by_system(rows).items()}
    others = [row for row in rows if row["system"] != ours]
    if ours not in values or not others:
        return None
    strongest = next(row for row in others if row["value"] == best(others, str(metric)))
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
