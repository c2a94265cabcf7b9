"""Stages with `runtime.tracking`: each figure of a training and of a report once, however the run was interrupted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from interestrec.core.errors import ConfigError
from interestrec.evaluation import metric_sums
from interestrec.io import artifact_files
from interestrec.stages import evaluate, finetune, pretrain_adapt
from interestrec.stages.run import RunContext
from interestrec.tracking import trackers
from interestrec.training import training_checkpoint
from tests.stages.learning import ADAPTATION, workspace
from tests.stages.reports import by_hand
from tests.tracking.reading import READ, Figures
from tests.training.cut_off import PowerCut

pytestmark = pytest.mark.slow
FINETUNE = {"epochs": 1, "history_epochs": 0, "hidden": [8], "negatives": {"count": 2}}
ALL = ["tensorboard", "wandb", "mlflow"]


def learner(root: Path, encoder: Path, names: list[str]) -> RunContext:
    runtime: dict[str, Any] = {"tracking": names, "tracking_directory": str(root / "figures"), "checkpoint_seconds": 0}
    return workspace(root, encoder, finetune=FINETUNE, pretrain_adapt=ADAPTATION, runtime=runtime)


def training_log(model: Path) -> Figures:
    """Figures of the training log of a model."""
    rows = pq.read_table(model / artifact_files.TRAINING_LOG).to_pylist()
    return {(row["name"], row["step"]): [row["value"]] for row in rows}


def approximately(figures: Figures) -> dict[tuple[str, int], Any]:
    """Figures to compare with, in the precision of TensorBoard."""
    return {key: pytest.approx(value, rel=1e-6) for key, value in figures.items()}


def tracked(context: RunContext, names: list[str], **evaluation: Any) -> RunContext:
    """A context whose figures go to trackers in `figures` of its workspace."""
    settings = context.settings
    runtime = settings.runtime.model_copy(
        update={"tracking": names, "tracking_directory": settings.workspace / "figures"}
    )
    section = settings.evaluate.model_copy(update=evaluation)
    return replace(context, settings=settings.model_copy(update={"runtime": runtime, "evaluate": section}))


def cut_off_after(monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    """End the process, as `kill -9` would, one step after a checkpoint that is not the last."""
    save, left = training_checkpoint.CheckpointStore.save, [saves]

    def cut(store: training_checkpoint.CheckpointStore, *arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCut
        save(store, *arguments)

    monkeypatch.setattr(training_checkpoint.CheckpointStore, "save", cut)


@pytest.mark.parametrize("stage", [pretrain_adapt, finetune])
def test_a_killed_training_goes_on_in_the_same_run(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, stage: Any
) -> None:
    context = learner(tmp_path, tiny_encoder, ALL)
    if stage is finetune:
        pretrain_adapt.run(context)
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        with pytest.raises(PowerCut):
            stage.run(context)
    path = stage.run(context).artifact.path
    undisturbed = learner(tmp_path / "again", tiny_encoder, ["tensorboard"])
    pretrain_adapt.run(undisturbed)
    if stage is finetune:
        finetune.run(undisturbed)
    name = stage.__name__.rpartition(".")[2].replace("_", "-")
    (expected,) = [
        figures for run, figures in READ["tensorboard"](tmp_path / "again" / "figures").items() if run.startswith(name)
    ]
    expected = {key: value for key, value in expected.items() if not key[0].startswith("timing/")}
    if stage is finetune:
        log = training_log(path)
        assert {key: expected[key] for key in log} == {
            key: pytest.approx(value, rel=1e-6) for key, value in log.items()
        }
    for tracker in ALL:
        (found,) = [figures for run, figures in READ[tracker](tmp_path / "figures").items() if run.startswith(name)]
        assert ("timing/seconds", 0) in found
        without_times = {key: value for key, value in found.items() if not key[0].startswith("timing/")}
        assert without_times == approximately(expected), tracker


def test_every_figure_of_a_report_is_there_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    plain = by_hand(tmp_path)
    report = evaluate.run(plain).artifact
    later = evaluate.run(tracked(plain, ALL))  # turned on when the report exists
    assert not later.built
    assert later.artifact.digest == report.digest
    tables = {
        artifact_files.METRICS: ("", "protocol slice metric system", "value ci_low ci_high"),
        artifact_files.COMPARISONS: (
            "comparisons/",
            "protocol slice metric system_a system_b",
            "difference ci_low ci_high p_holm",
        ),
        artifact_files.GAPS: ("gaps/", "protocol family metric system", "gap ci_low ci_high"),
    }
    rows = {file: pq.read_table(report.path / file).to_pylist() for file in tables}
    assert len(rows[artifact_files.METRICS]) > 50
    assert rows[artifact_files.COMPARISONS]
    for tracker in ALL:
        (figures,) = READ[tracker](tmp_path / "figures").values()
        for file, (prefix, parts, columns) in tables.items():
            for row in rows[file]:
                name = prefix + "/".join(row[part] for part in parts.split())
                for position, key in enumerate(columns.split()):
                    found = figures.pop((f"{name} {key}" if position else name, 0), None)
                    told = row[key] is not None and np.isfinite(row[key])
                    assert found == ([pytest.approx(row[key], rel=1e-6)] if told else None), (tracker, name)
        assert [name for name, _ in figures] == ["timing/seconds"]


def test_what_a_report_suppresses_is_told_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_sums, "MIN_LISTS", 1)
    context = tracked(by_hand(tmp_path), ["tensorboard"], min_users=3)
    path = evaluate.run(context).artifact.path
    rows = pq.read_table(path / artifact_files.METRICS).to_pylist()
    (figures,) = READ["tensorboard"](tmp_path / "figures").values()
    of_metrics = [name for name, _ in figures if not name.startswith(("comparisons/", "gaps/"))]
    assert {name.rpartition(" ci_")[0] or name for name in of_metrics} == {
        *(
            "/".join((row["protocol"], row["slice"], row["metric"], row["system"]))
            for row in rows
            if row["value"] is not None
        ),
        "timing/seconds",
    }
    assert not [name for name, _ in figures if "cold_users" in name]


def test_a_missing_extra_ends_the_command_before_any_work(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda module: None)
    with pytest.raises(ConfigError, match="interestrec\\[wandb\\]"):
        learner(tmp_path, tiny_encoder, ["wandb"])
    assert not (tmp_path / "work").exists()
