"""Tasks from the configuration to the report: learned, ranked by, measured on test, and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ConfigError
from interestrec.io import files, report_schemas, schemas
from interestrec.scorers.model_opening import open_model
from interestrec.stages import evaluate, finetune, pretrain_adapt, rank
from interestrec.stages.run import RunContext
from tests.stages.learning import shop

pytestmark = pytest.mark.slow
SMALL = {"epochs": 2, "width": 8, "hidden": [4], "negatives": {"count": 2}}
EVENTS = {"events": {"kind": "multi_event", "events": ["view", "purchase"]}}


def trained(root: Path, encoder: Path, **chosen: Any) -> tuple[RunContext, Path]:
    context = shop(root, encoder, finetune={**SMALL, **chosen}, rank={"components": ["intensity"]})
    pretrain_adapt.run(context)
    return context, finetune.run(context).artifact.path


def test_tasks_are_learned_stored_ranked_by_and_measured(tmp_path: Path, tiny_encoder: Path) -> None:
    tasks = {
        **EVENTS,
        "bought": {"kind": "binary", "label": "event == purchase", "negatives": True},
        "grade": {"kind": "intensity", "weight": "learned"},
        "stars": {"kind": "rating", "label": "intensity", "weight": 0.5},
    }
    context, path = trained(tmp_path, tiny_encoder, tasks=tasks, experts=2, rank_by="order * bought^0.5")
    config = files.read_json(path / "config.json")
    names = ["view", "purchase", "bought", "grade", "stars"]
    assert [task["name"] for task in config["tasks"]] == names
    assert [task["negatives"] for task in config["tasks"]] == [False, False, True, False, False]
    np.testing.assert_allclose(config["tasks"][4]["parameters"]["levels"], [0.2, 1.0], rtol=1e-6)
    assert set(files.read_json(path / "calibration.json")["tasks"]) == set(names)
    outcome = files.read_json(path / "outcome.json")
    assert outcome["best_epoch"] > 0  # an untrained model knows nothing of tasks
    assert {"view_auc", "bought_logloss", "grade_rmse", "stars_spearman"} <= set(outcome)
    log = pq.read_table(path / "training_log.parquet").to_pandas()
    assert {f"loss_task_{name}" for name in names} <= set(log["name"])
    weights = files.read_safetensors(path / "weights.safetensors")
    uncertainty = weights["task_heads/uncertainty"]
    assert [value != 0 for value in uncertainty] == [False, False, False, True, False]
    assert np.abs(weights["task_heads/expert_second"]).max() > 0
    assert open_model(path).model.config.rank_by == (("order", 1.0), ("bought", 0.5))

    rankings = rank.run(context).artifact.path
    table = files.read_parquet(rankings / "task_predictions.parquet", schemas.TASK_PREDICTIONS).to_pandas()
    tests = int((pq.read_table(tmp_path / "work/corpus/timelines.parquet")["split"].to_pandas() == "test").sum())
    counts = table[table["weight"] == 1].groupby("task", observed=True).size()
    assert counts.to_dict() == dict.fromkeys(names, tests)
    drawn = table[table["weight"] != 1]
    assert set(drawn["task"]) == {"bought"}
    assert (drawn["label"] == 0).all()
    view, purchase = (table[table["task"] == name]["predicted"].to_numpy() for name in ("view", "purchase"))
    assert 0.7 < (view + purchase).mean() < 1.3  # of each event, one of both

    report = evaluate.run(context).artifact.path
    metrics = files.read_parquet(report / "task_metrics.parquet", report_schemas.TASK_METRICS).to_pandas()
    assert metrics[metrics["task"] == "purchase"]["metric"].tolist() == ["auc", "logloss", "ece"]
    assert (metrics["ci_low"] <= metrics["value"]).mean() > 0.8  # ece is biased upwards in draws
    assert "Tasks of the model" in (report / "report.html").read_text()


def test_the_ranking_of_a_task_decides_when_training_stops(tmp_path: Path, tiny_encoder: Path) -> None:
    _, one = trained(tmp_path / "a", tiny_encoder, tasks=EVENTS, epochs=0)
    _, other = trained(tmp_path / "b", tiny_encoder, tasks=EVENTS, epochs=0, rank_by="purchase^2 * view^-1")
    starts = [files.read_json(path / "outcome.json")["valid_ndcg_start"] for path in (one, other)]
    assert starts[0] != starts[1]


def test_a_warm_start_needs_the_same_tasks_and_begins_with_their_weights(tmp_path: Path, tiny_encoder: Path) -> None:
    context, path = trained(tmp_path, tiny_encoder, tasks=EVENTS)
    chosen = context.settings.finetune
    still = context.settings.model_copy(update={"finetune": chosen.model_copy(update={"epochs": 0})})
    again = finetune.run(RunContext(still, start=path)).artifact.path
    assert files.read_json(again / "config.json")["tasks"] == files.read_json(path / "config.json")["tasks"]
    before, after = (files.read_safetensors(made / "weights.safetensors") for made in (path, again))
    of_tasks = [name for name in before if name.startswith("task_heads/")]
    assert any(before[name].any() for name in of_tasks)
    for name in of_tasks:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    other = context.settings.model_copy(update={"finetune": chosen.model_copy(update={"tasks": {}})})
    with pytest.raises(ConfigError, match="the model has another structure: tasks is"):
        finetune.run(RunContext(other, start=path))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "binary", "label": "event == purchse"}, "finetune.tasks.t: label .*did you mean 'purchase'"),
        ({"kind": "count"}, "the label 'value' is unknown of every event of train"),
        (
            {"kind": "binary", "label": "intensity > 0", "negatives": False},
            "are 1, so there is nothing to learn; negat",
        ),
        ({"kind": "binary", "label": "intensity > 5"}, "are 0, so there is nothing to learn"),
        ({"kind": "binary", "label": "intensity"}, "finetune.tasks.t: .* are neither 0 nor 1, such as 0.2"),
    ],
)
def test_labels_from_which_nothing_is_learned(tmp_path: Path, tiny_encoder: Path, task: dict, message: str) -> None:
    context = shop(tmp_path, tiny_encoder, finetune={**SMALL, "tasks": {"t": task}})
    pretrain_adapt.run(context)
    with pytest.raises(ConfigError, match=message):
        finetune.run(context)
