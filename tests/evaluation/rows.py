"""Rows of the metrics and comparisons tables."""

from typing import Any


def metric(system: str, value: float | None, name: str = "auc", protocol: str = "impressions") -> dict[str, Any]:
    return {
        "system": system,
        "protocol": protocol,
        "slice": "all",
        "metric": name,
        "value": value,
        "ci_low": None if value is None else value - 0.01,
        "ci_high": None if value is None else value + 0.01,
        "n": 12,
        "dropped": 3,
    }


def comparison(other: str, difference: float, p: float, name: str = "auc", protocol: str = "impressions") -> dict:
    """A row whose interval excludes 0 where its p before correction, the half of `p`, is below 0.05."""
    half = abs(difference) * (0.5 if p / 2 < 0.05 else 1.5)
    return {
        "protocol": protocol,
        "slice": "all",
        "metric": name,
        "system_a": "interestrec",
        "system_b": other,
        "difference": difference,
        "ci_low": difference - half,
        "ci_high": difference + half,
        "p": p / 2,
        "p_holm": p,
    }
