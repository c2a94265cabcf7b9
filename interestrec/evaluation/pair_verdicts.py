"""Where text adds and where ids add: the best system of each kind, compared on memorised and generalised pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interestrec.evaluation.metric_rows import best_value
from interestrec.evaluation.metric_sums import CATALOGUE, IMPRESSIONS, MetricSums
from interestrec.evaluation.pair_parts import PARTS
from interestrec.evaluation.slices import ALL, PAIR_NEW, PAIR_SEEN
from interestrec.evaluation.statistics import comparison_rows
from interestrec.evaluation.verdicts import BETTER, WORSE, Rows, comparison_figures, headline, inference, verdict_word
from interestrec.metrics import bootstrap

# Scorers that know items by their texts, and those that know them by who had them alone. Scorers of both, such as
# `intensity`, or of neither, such as `popularity`, say nothing here.
TEXT = ("content", "tfidf")
IDS = ("als", "ease", "bpr", "item_knn", "session_knn", "covisit", "sequence")

_PLACES = {PAIR_SEEN: "on pairs seen before", PAIR_NEW: "on new pairs"}
_CLAIMS = {BETTER: "text adds", WORSE: "ids add"}


def pair_verdicts(
    metrics: Rows,
    cells: Sequence[MetricSums],
    systems: Sequence[str],
    scorers: Mapping[str, str],
    n_users: int,
    resamples: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Compare the best system of texts with the best of ids on both parts of the pairs, by protocol, as JSON values.

    Both are the best of their kind over all lists by the headline metric. Holm's correction is over the two parts. The
    sentence, which is missing if neither difference is significant, names the parts in which one is.

    Args:
        metrics: rows of report_schemas.METRICS.
        cells: the cells behind them, with a column per system.
        scorers: system -> its scorer, of systems that are components alone; others are named after their scorer.
    """
    verdicts: dict[str, dict[str, Any]] = {}
    for protocol in (IMPRESSIONS, CATALOGUE):
        metric = headline(metrics, protocol)
        text, ids = (_best(metrics, protocol, metric, scorers, kind) for kind in (TEXT, IDS))
        compared = [
            cell for cell in cells if (cell.protocol, cell.metric) == (protocol, metric) and cell.slice in PARTS
        ]
        if text is None or ids is None or not compared:
            continue
        columns = np.array([systems.index(text), systems.index(ids)])
        pair = [_with_columns(cell, columns) for cell in compared]
        rows = comparison_rows(pair, [text, ids], text, n_users, resamples, seed)
        corrected = bootstrap.holm(np.array([row["p"] for row in rows]))
        rows = [{**row, "p_holm": float(p)} for row, p in zip(rows, corrected, strict=True)]
        users = {cell.slice: int((cell.counts > 0).any(axis=1).sum()) for cell in pair}
        parts = [{"slice": row["slice"], **comparison_figures(row), "word": verdict_word(row)} for row in rows]
        verdicts[protocol] = {"metric": metric, "text": text, "ids": ids, "parts": parts}
        clauses = [
            f"{_PLACES[row['slice']]} {_CLAIMS[verdict_word(row)]} ({inference(row, users[row['slice']])})"
            for row in rows
            if verdict_word(row) in _CLAIMS
        ]
        if clauses:
            sentence = (
                f"{'; '.join(clauses)}: {metric} of {text} less that of {ids}, the best systems of text and of ids."
            )
            verdicts[protocol]["sentence"] = sentence[0].upper() + sentence[1:]
    return verdicts


def _best(
    metrics: Rows, protocol: str, metric: str | None, scorers: Mapping[str, str], kind: Sequence[str]
) -> str | None:
    """Return the best of the systems that rank by a scorer of a kind alone; None if there is none."""
    rows = [
        row
        for row in metrics
        if (row["protocol"], row["slice"], row["metric"]) == (protocol, ALL, metric)
        and scorers.get(row["system"], row["system"]) in kind
        and row["value"] is not None
    ]
    best = best_value(rows, str(metric))
    return next((row["system"] for row in rows if row["value"] == best), None)


def _with_columns(cell: MetricSums, columns: np.ndarray) -> MetricSums:
    return replace(
        cell, sums=cell.sums[:, columns], counts=cell.counts[:, columns], dropped=cell.dropped[columns], seed_sd=None
    )
