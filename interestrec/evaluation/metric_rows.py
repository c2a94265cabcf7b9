"""Titles of the protocols, and access to the rows of `metrics.parquet` by system and by best value."""

from typing import Any

from interestrec.evaluation.metric_sums import BEYOND, CATALOGUE, IMPRESSIONS, INTENSITY, LOWER_IS_BETTER
from interestrec.io.schemas import OURS

TITLES = {
    IMPRESSIONS: "Within impressions",
    CATALOGUE: "Over the whole catalogue",
    INTENSITY: "Predicted intensity against labels",
    BEYOND: "Beyond accuracy: the first ten over the whole catalogue",
}


def metrics_by_system(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return metric values by system, `interestrec` first, the others in the order of the rows."""
    systems = sorted(dict.fromkeys(row["system"] for row in rows), key=lambda system: system != OURS)
    return {system: {row["metric"]: row["value"] for row in rows if row["system"] == system} for system in systems}


def best_value(rows: list[dict[str, Any]], metric: str) -> float | None:
    """Return the best value of a metric among rows of one protocol and slice; None if there is no value."""
    values = [row["value"] for row in rows if row["metric"] == metric and row["value"] is not None]
    if not values:
        return None
    return min(values) if metric in LOWER_IS_BETTER else max(values)
