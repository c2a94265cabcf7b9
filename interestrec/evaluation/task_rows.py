"""Metrics of the tasks of a model on test, with bootstrap intervals over users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.io import artifact_files, files, schemas
from interestrec.metrics import bootstrap
from interestrec.metrics.task_metrics import TaskRows, resampled_values, task_values
from interestrec.model.tasks import TASKS


def read_task_metrics(rankings: Path, resamples: int, seed: int, min_users: int) -> list[dict[str, Any]]:
    """Return the rows of `task_metric_rows` for the predictions in rankings; none of a model without tasks."""
    path = rankings / artifact_files.TASK_PREDICTIONS
    if not path.exists():
        return []
    predictions = files.read_parquet(path, schemas.TASK_PREDICTIONS)
    return task_metric_rows(predictions, resamples, seed, min_users)


def task_metric_rows(predictions: pa.Table, resamples: int, seed: int, min_users: int) -> list[dict[str, Any]]:
    """Return rows of report_schemas.TASK_METRICS, without tasks of fewer than `min_users` users.

    Args:
        predictions: of schemas.TASK_PREDICTIONS.
        resamples: draws of users behind an interval.
    """
    found = []
    for name in pc.unique(predictions["task"].cast(pa.string())).to_pylist():
        table = predictions.filter(pc.equal(predictions["task"].cast(pa.string()), name))
        kind = TASKS[table["kind"][0].as_py()]
        rows, users = rows_of_table(table)
        if users < min_users:
            continue
        values = task_values(rows, kind.metrics)
        low, high = bootstrap.interval(resampled_values(rows, kind.metrics, users, resamples, seed))
        events = int(np.isclose(rows.weight, 1.0).sum())
        found += [
            {
                "task": name,
                "metric": metric,
                "value": _known(value),
                "ci_low": _known(low[number]),
                "ci_high": _known(high[number]),
                "n": events,
                "users": users,
            }
            for number, (metric, value) in enumerate(values.items())
        ]
    return found


def rows_of_table(table: pa.Table) -> tuple[TaskRows, int]:
    """Return one task's predictions by the number of their user, in the order of ids, and the number of users."""
    ids = table["user_id"].combine_chunks().dictionary_encode()
    order = np.argsort(np.argsort(np.array(ids.dictionary.to_pylist())))
    numbers = (table[name].to_numpy().astype(np.float64) for name in ("label", "predicted", "weight"))
    return TaskRows(order[ids.indices.to_numpy()], *numbers), len(ids.dictionary)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
