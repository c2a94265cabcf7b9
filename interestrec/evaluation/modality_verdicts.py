"""What each modality of the items adds to the model of intensity: systems compared with the whole model."""

from collections.abc import Sequence
from typing import Any

from interestrec.core.modality_names import MODALITY, NO_MODALITY
from interestrec.evaluation.metric_sums import CATALOGUE, IMPRESSIONS, MetricSums
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.statistics import comparison_rows, users_per_metric
from interestrec.evaluation.verdicts import NO_EVIDENCE, Rows, comparison_figures, headline, inference, verdict_word


def modality_verdicts(
    metrics: Rows,
    cells: Sequence[MetricSums],
    systems: Sequence[str],
    whole: str | None,
    n_users: int,
    resamples: int,
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """Compare the model of all modalities with itself where items have one alone or lack one, by protocol.

    Differences are the whole model less the part, so a positive one is what the missing modalities add. Holm's
    correction is over the parts of our system, see `comparison_rows`.

    Args:
        metrics: rows of report_schemas.METRICS.
        cells: the cells behind them, with a column per system.
        whole: the system that ranks by `intensity` alone; None if there is none.

    Returns:
        Per protocol one entry per part as JSON values, with a sentence.
    """
    parts = [system for system in systems if system.startswith((MODALITY, NO_MODALITY))]
    if whole is None or not parts:
        return {}
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for protocol in (IMPRESSIONS, CATALOGUE):
        metric = headline(metrics, protocol)
        compared = [cell for cell in cells if (cell.protocol, cell.metric, cell.slice) == (protocol, metric, ALL)]
        rows = comparison_rows(compared, systems, whole, n_users, resamples, seed)
        users = users_per_metric(compared).get((protocol, str(metric)))
        verdicts[protocol] = [
            {
                "system": row["system_b"],
                "metric": metric,
                **comparison_figures(row),
                "word": verdict_word(row),
                "sentence": _sentence(row, users),
            }
            for row in rows
            if row["system_b"] in parts
        ]
    return verdicts


def _sentence(row: dict[str, Any], users: int | None) -> str:
    system = row["system_b"]
    if system.startswith(MODALITY):
        part = f"{system.removeprefix(MODALITY)} alone"
    else:
        part = f"all modalities but {system.removeprefix(NO_MODALITY)}"
    word = verdict_word(row)
    figures = f"{row['metric']} ({inference(row, users)})"
    if word == NO_EVIDENCE:
        return f"No evidence that the model with all modalities and with {part} differ: {figures}."
    claim = word.replace(" before correction", ", before correction for several comparisons,")
    return f"The model with all modalities is {claim} than with {part}: {figures}."
