"""Compare how well two models predict a task on test, with paired bootstrap intervals over users.

Usage: python scripts/compare_tasks.py WORKSPACE WORKSPACE TASK [RESAMPLES]

Both workspaces hold `rankings` of the same corpus split. A difference is that of the first minus the second.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.evaluation.task_rows import rows_of_table
from interestrec.io import artifact_files, files, schemas
from interestrec.metrics import bootstrap
from interestrec.metrics.task_metrics import resampled_values, task_values
from interestrec.model.tasks import TASKS


def predictions(workspace: Path, task: str) -> pa.Table:
    """Return one task's rows of schemas.TASK_PREDICTIONS, sorted by user and item."""
    path = workspace / "rankings" / artifact_files.TASK_PREDICTIONS
    table = files.read_parquet(path, schemas.TASK_PREDICTIONS)
    chosen = table.filter(pc.equal(table["task"].cast(pa.string()), task))
    if not chosen.num_rows:
        raise DataError(f"{path}: has no predictions of the task '{task}'")
    return chosen.sort_by([("user_id", "ascending"), ("item_id", "ascending"), ("label", "ascending")])


def compare(
    first: Path, second: Path, task: str, resamples: int = 1000
) -> list[tuple[str, float, float, float, float]]:
    """Return metric, value of the first, value of the second, and the interval of their difference.

    Raises:
        DataError: the two did not predict the same events.
    """
    tables = [predictions(path, task) for path in (first, second)]
    for name in ("user_id", "item_id"):
        if not tables[0][name].equals(tables[1][name]):
            raise DataError(f"{first} and {second} did not predict the same events of '{task}'; use one corpus split")
    metrics = TASKS[tables[0]["kind"][0].as_py()].metrics
    sides = [rows_of_table(table) for table in tables]
    values = [task_values(rows, metrics) for rows, _ in sides]
    draws = [resampled_values(rows, metrics, users, resamples, seed=0) for rows, users in sides]
    low, high = bootstrap.interval(draws[0] - draws[1])
    numbers = zip(metrics, low, high, strict=True)
    return [(name, values[0][name], values[1][name], float(a), float(b)) for name, a, b in numbers]


if __name__ == "__main__":
    one, other, wanted, *number = sys.argv[1:]
    for metric, a, b, below, above in compare(Path(one), Path(other), wanted, *map(int, number)):
        word = "noise" if below <= 0 <= above or np.isnan(below) else "differs"
        print(f"{wanted} {metric}: {a:.4f} against {b:.4f}, {a - b:+.4f} ({below:+.4f} to {above:+.4f}) {word}")
