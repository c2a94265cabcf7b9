"""`rank` measures the explanations of its lists, and `evaluate` reports what they are worth."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.io import files, schemas
from interestrec.stages import evaluate, rank
from interestrec.stages.run import RunContext
from tests.stages.ranking import log_of_events, stand_in_for_intensity, without_timing, workspace


@pytest.fixture(autouse=True)
def intensity(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in_for_intensity(monkeypatch)


def ranked(root: Path, users: int) -> tuple[RunContext, Path]:
    context = workspace(root, log_of_events(), systems=["interestrec", "random"], deletion_users=users)
    return context, rank.run(context).artifact.path


def test_lists_without_events_are_measured_and_reported(tmp_path: Path) -> None:
    context, path = ranked(tmp_path, 12)
    table = pq.read_table(path / "deletions.parquet")
    assert table.schema.equals(schemas.DELETIONS)
    assert len(set(table["user_id"].to_pylist())) == 12
    assert set(table["by"].to_pylist()) == {"effect", "random"}  # the stand-in attends to nothing
    first = pq.read_table(path / "catalogue.parquet").to_pandas()
    first = first[(first["system"] == "interestrec") & (first["rank"] == 1)].set_index("user_id")["item_id"]
    assert all(first[row["user_id"]] == row["item_id"] for row in table.to_pylist())
    report = evaluate.run(context).artifact.path
    rows = files.read_json(report / "deletion_curves.json")
    (area,) = [r for r in rows if (r["segment"], r["by"], r["removed"]) == ("all", "random", 0)]
    assert area["users"] == 12
    assert area["lead"] > 0
    page = (report / "report.html").read_text()
    assert "Without the events of the largest effects the score of the first item falls" in page
    assert "fall of the first item&#39;s score" in page or "removed events of the history" in page


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    left, right = (without_timing(ranked(tmp_path / name, 5)[1]) for name in ("left", "right"))
    assert left["deletions.parquet"] == right["deletions.parquet"]


def test_none_are_measured_where_none_are_wanted(tmp_path: Path) -> None:
    context, path = ranked(tmp_path, 0)
    assert not (path / "deletions.parquet").exists()
    report = evaluate.run(context).artifact.path
    assert not (report / "deletion_curves.json").exists()
    assert "Explanations" not in (report / "report.html").read_text()


def test_the_falls_are_those_of_histories_without_the_events(tmp_path: Path) -> None:
    _, path = ranked(tmp_path, 60)
    table = pq.read_table(path / "deletions.parquet").to_pandas()
    one = table[table["removed"] == 1].pivot_table(index="user_id", columns="by", values="score_drop")
    assert (one["effect"] >= one["random"] - 1e-12).all()  # the largest of all is above any mean
    assert np.isfinite(table["score_drop"]).all()
    assert (table["rank"] >= 1).all()
