"""Statistics of a replay: means over users by window and over all windows, and differences paired over users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from interestrec.evaluation import resampling, statistics
from interestrec.evaluation.metric_sums import CATALOGUE, MetricSums
from interestrec.evaluation.protocols import ProtocolResult
from interestrec.evaluation.slices import ALL
from interestrec.evaluation.verdicts import (
    BETTER,
    NO_EVIDENCE,
    UNCORRECTED_SUFFIX,
    WORSE,
    inference,
    verdict_word,
)
from interestrec.evaluation.windows import WindowResult, pool_windows
from interestrec.learning.replay_scores import HEADLINE_METRIC, REPLAY_METRICS

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ReplayScores:
    """The values of the same users by several policies, in every window."""

    windows: Sequence[Mapping[str, pa.Table]]  # of each window: policy -> rows of report_schemas.REPLAY_SCORES
    user_id: pa.Array  # string [users of the log]

    @property
    def policies(self) -> list[str]:
        """The policies in order."""
        return list(self.windows[0])


def replay_rows(scores: ReplayScores, first: str, resamples: int, seed: int) -> tuple[Rows, Rows]:
    """Return rows of report_schemas.REPLAY, and rows of REPLAY_COMPARISONS of the policy `first` with each other one.

    `window` counts from 1, in order of time, and is null for the mean over windows, in which every window counts the
    same. A user of several windows is one user, who is resampled, and whose policies are swapped, as a whole.
    """
    results = [_result(of_window, scores) for of_window in scores.windows]
    pooled = pool_windows(results)
    metrics, comparisons = _rows(pooled.cells, scores.policies, first, pooled.n_users, resamples, seed, None)
    for number, result in enumerate(results, 1):
        of_window = _rows(result.result.cells, scores.policies, first, len(result.user_id), resamples, seed, number)
        metrics += of_window[0]
        comparisons += of_window[1]
    return metrics, comparisons


def _rows(
    cells: list[MetricSums],
    policies: list[str],
    first: str,
    n_users: int,
    resamples: int,
    seed: int,
    window: int | None,
) -> tuple[Rows, Rows]:
    draws = resampling.resampled_values(cells, n_users, resamples, seed)
    names = ("metric", "value", "ci_low", "ci_high", "n")
    metrics = [
        {"window": window, "policy": row["system"], **{name: row[name] for name in names}}
        for row in statistics.metrics_rows(cells, draws, [], policies)
    ]
    compared = ("metric", "difference", "ci_low", "ci_high", "p", "p_holm")
    comparisons = [
        {
            "window": window,
            "policy_a": row["system_a"],
            "policy_b": row["system_b"],
            **{name: row[name] for name in compared},
        }
        for row in statistics.comparison_rows(cells, policies, first, n_users, resamples, seed)
    ]
    return metrics, comparisons


def _result(of_window: Mapping[str, pa.Table], scores: ReplayScores) -> WindowResult:
    """Return the cells of one window: the users of a cell are numbered within the window."""
    users = next(iter(of_window.values()))["user"].to_numpy()
    cells = []
    for metric in REPLAY_METRICS:
        values = np.stack([table[metric].to_numpy() for table in of_window.values()], axis=1)
        cells.append(
            MetricSums(
                protocol=CATALOGUE,
                slice=ALL,
                metric=metric,
                user=np.arange(len(users)),
                sums=values[:, :, None, None],
                counts=np.ones(values.shape),
                dropped=np.zeros(values.shape[1], np.int64),
            )
        )
    return WindowResult(ProtocolResult(cells), list(of_window), scores.user_id.take(pa.array(users)))


def withhold_small(metrics: Rows, comparisons: Rows, min_users: int) -> tuple[Rows, Rows]:
    """Return the rows of `replay_rows` without what fewer than `min_users` lists of a window are behind.

    A list of a window is that of one user. Values become null, and comparisons are left out.
    """
    hidden = {"value": None, "ci_low": None, "ci_high": None}
    small = {row["window"] for row in metrics if row["n"] < min_users}
    shown = [{**row, **hidden} if row["window"] in small else row for row in metrics]
    return shown, [row for row in comparisons if row["window"] not in small]


def policy_sentences(metrics: Rows, comparisons: Rows) -> list[str]:
    """Return what all windows together say of the first policy and each other one, by the headline metric.

    Args:
        metrics: rows of report_schemas.REPLAY.
        comparisons: rows of REPLAY_COMPARISONS.
    """
    overall = [row for row in metrics if row["window"] is None and row["metric"] == HEADLINE_METRIC]
    values = {row["policy"]: row["value"] for row in overall}
    sentences = []
    for row in comparisons:
        if row["window"] is not None or row["metric"] != HEADLINE_METRIC:
            continue
        first, other = row["policy_a"], row["policy_b"]
        if values[first] is None or values[other] is None:
            continue
        claims = {
            BETTER: f"{first} is better than {other}",
            WORSE: f"{first} is worse than {other}",
            BETTER + UNCORRECTED_SUFFIX: f"{first} may be better than {other}",
            WORSE + UNCORRECTED_SUFFIX: f"{first} may be worse than {other}",
            NO_EVIDENCE: f"No evidence that {first} and {other} differ",
        }
        figures = f"{HEADLINE_METRIC} {values[first]:.4f} against {values[other]:.4f}"
        sentences.append(f"{claims[verdict_word(row)]}: {figures} ({inference(row, None)}).")
    return sentences
