"""All sentences of a report on the systems, by protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

from interestrec.evaluation.metric_sums import MetricSums
from interestrec.evaluation.modality_verdicts import modality_verdicts
from interestrec.evaluation.pair_verdicts import pair_verdicts
from interestrec.evaluation.statistics import users_per_metric
from interestrec.evaluation.verdicts import Rows, all_verdicts


def report_verdicts(
    metrics: Rows,
    comparisons: Rows,
    cells: Sequence[MetricSums],
    systems: Sequence[str],
    ours: Mapping[str, Any],
    n_users: int,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return the verdicts of `all_verdicts`, with those of `pair_verdicts` as `pairs` and of `modality_verdicts`.

    Args:
        metrics, comparisons: rows of schemas.
        cells: the cells behind them, with a column per system.
        ours: the description of our system in systems.json; empty if it was not ranked.
    """
    alone, components = ours.get("alone", {}), ours.get("components", {})
    found = all_verdicts(metrics, comparisons, alone, users_per_metric(cells))
    scorers = {system: components[component] for component, system in alone.items()}
    draws = (n_users, resamples, seed)
    for protocol, pairs in pair_verdicts(metrics, cells, systems, scorers, *draws).items():
        found.setdefault(protocol, {})["pairs"] = pairs
    for protocol, parts in modality_verdicts(metrics, cells, systems, alone.get("intensity"), *draws).items():
        found.setdefault(protocol, {})["modalities"] = parts
    return found
