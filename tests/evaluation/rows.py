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
    return {
        "protocol": protocol,
        "slice": "all",
        "metric": name,
        "system_a": "interestrec",
        "system_b": other,
        "difference": difference,
        "ci_low": difference - 0.01,
        "ci_high": difference + 0.01,
        "p": p / 2,
        "p_holm": p,
    }
