"""Two models compared on a task: paired by user, and only on the same events."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from interestrec.core.errors import DataError
from interestrec.io import files, schemas
from scripts.compare_tasks import compare


def write(workspace: Path, noise: float, users: int = 60, seed: int = 1) -> Path:
    rng = np.random.default_rng(0)
    label = rng.exponential(10, users * 5).astype(np.float32)
    predicted = label * np.exp(noise * np.random.default_rng(seed).normal(size=users * 5))
    columns = {
        "task": ["hours"] * users * 5,
        "kind": ["duration"] * users * 5,
        "user_id": [f"u{n}" for n in np.repeat(np.arange(users), 5)],
        "item_id": [f"i{n}" for n in np.tile(np.arange(5), users)],
        "label": label,
        "predicted": predicted,
        "weight": np.ones(users * 5),
    }
    (workspace / "rankings").mkdir(parents=True)
    table = pa.table(columns).cast(schemas.TASK_PREDICTIONS)
    files.write_parquet(workspace / "rankings" / "task_predictions.parquet", table, schemas.TASK_PREDICTIONS)
    return workspace


def test_a_better_model_is_told_from_one_that_is_as_good(tmp_path: Path) -> None:
    good, alike, bad = (write(tmp_path / n, x, seed=s) for n, x, s in (("a", 0.2, 1), ("b", 0.2, 2), ("c", 0.9, 3)))
    found = {name: rest for name, *rest in compare(good, bad, "hours", 200)}
    first, second, low, high = found["spearman"]
    assert first > second
    assert low < first - second < high
    assert low > 0
    _, _, low, high = {name: rest for name, *rest in compare(good, alike, "hours", 200)}["spearman"]
    assert low < 0 < high
    assert all(a == b for _, a, b, *_ in compare(good, good, "hours", 20))


def test_other_events_and_other_tasks_are_refused(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", 0.2), write(tmp_path / "b", 0.2, users=50)
    with pytest.raises(DataError, match="did not predict the same events of 'hours'; use one corpus split"):
        compare(one, other, "hours")
    with pytest.raises(DataError, match="has no predictions of the task 'click'"):
        compare(one, one, "click")
