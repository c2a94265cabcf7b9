"""`tune`: trials beside the current model, killed searches, a test split that is never read, and a configuration."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from interestrec import pipeline
from interestrec.config.settings import Settings
from interestrec.core.errors import ConfigError
from interestrec.io import artifact_files, files
from interestrec.learning.budget import Budget
from interestrec.learning.tuned_systems import tuned_model
from interestrec.stages import tune
from interestrec.stages.run import RunContext, StageResult, TrialRequest
from interestrec.training import finetuning, loop
from interestrec.workspace.artifacts import open_artifact
from tests.stages.learning import shop
from tests.stages.ranking import log_of_events
from tests.stages.ranking import workspace as ranked_workspace

pytestmark = pytest.mark.slow

SCORERS = {"systems": ["interestrec", "als"], "components": ["item_item", "trending"], "estimators": []}
SPACE = {"rank.item_knn.neighbours": {"low": 1, "high": 30}, "rank.item_knn.weak_evidence": None}


def no_model(settings: Settings, request: TrialRequest) -> StageResult:
    raise AssertionError("the model is no component")


def scorers(root: Path, seed: int = 0, **tuned: Any) -> RunContext:
    """A workspace without a model that could be trained, whose scorers are searched."""
    context = ranked_workspace(root, log_of_events(seed), **SCORERS)
    document = context.settings.model_dump(mode="json")
    return replace(context, settings=Settings.model_validate({**document, "tune": {"space": SPACE, **tuned}}))


def trials(path: Path) -> list[dict[str, Any]]:
    table = pq.read_table(path / artifact_files.TRIALS).drop_columns(["seconds"])
    return table.to_pylist()  # type: ignore[no-any-return]


def test_scorers_are_searched_by_an_equal_budget_each(tmp_path: Path) -> None:
    result = tune.run(scorers(tmp_path), Budget(trials=12), no_model)
    rows, path = trials(result.artifact.path), result.artifact.path
    document = files.read_json(path / artifact_files.TUNING)
    assert list(document["systems"]) == ["item_knn", "trending"]  # item_item has no space, als is a baseline
    for name, one in document["systems"].items():
        own = [row for row in rows if row["system"] == name]
        assert [row["trial"] for row in own] == list(range(12))
        assert json.loads(own[0]["settings"]) == one["configured"]
        (best,) = [row for row in own if row["best"]]
        assert best["value"] == max(row["value"] for row in own if row["state"] == "complete")
        assert best["value"] == pytest.approx(one["select"]["found"])
        assert one["chosen"] == (one["found"] if one["confirmed"] else one["configured"])
        assert one["optimism"] == pytest.approx(one["select"]["gain"] - one["blend"]["gain"])
    tuned = yaml.safe_load((path / artifact_files.TUNED).read_text())
    settings = Settings.model_validate(tuned)
    assert settings.rank.trials == 1
    for one in document["systems"].values():
        for key, value in one["chosen"].items():
            _, scorer, name = key.split(".")
            assert getattr(getattr(settings.rank, scorer), name) == value
    neighbours = [
        json.loads(row["settings"])["rank.item_knn.neighbours"] for row in rows if row["system"] == "item_knn"
    ]
    assert all(1 <= value <= 30 for value in neighbours[1:])
    assert "rank.item_knn.weak_evidence" not in document["systems"]["item_knn"]["space"]


def test_baselines_are_searched_if_asked(tmp_path: Path) -> None:
    path = tune.run(scorers(tmp_path, systems="all"), Budget(trials=2), no_model).artifact.path
    counts = {name: one["trials"] for name, one in files.read_json(path / artifact_files.TUNING)["systems"].items()}
    assert counts == {"als": 2, "item_knn": 2, "trending": 2}


def test_a_finished_search_is_up_to_date_and_a_larger_budget_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = scorers(tmp_path)
    first = tune.run(context, Budget(trials=4), no_model)
    measure, measured = tune.ScorerTrials.measure, []

    def counted(self: tune.ScorerTrials, *asked: Any) -> Any:
        measured.append(asked)
        return measure(self, *asked)

    monkeypatch.setattr(tune.ScorerTrials, "measure", counted)
    assert not tune.run(context, Budget(trials=4), no_model).built
    assert not measured
    longer = tune.run(context, Budget(trials=6), no_model)
    before, after = (
        [row["settings"] for row in trials(result.artifact.path) if row["system"] == "item_knn"]
        for result in (first, longer)
    )
    assert len(after) == 6
    assert after[:4] == before
    assert 2 <= sum(name == "item_knn" for name, *_ in measured) <= 4  # the two new trials, and what goes on


def test_a_search_that_was_killed_has_the_trials_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune.run(scorers(tmp_path / "whole"), Budget(trials=6), no_model)
    context, measure = scorers(tmp_path / "killed"), tune.ScorerTrials.measure
    calls: list[str] = []

    def dies(self: tune.ScorerTrials, *asked: Any) -> Any:
        calls.append("")
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return measure(self, *asked)

    monkeypatch.setattr(tune.ScorerTrials, "measure", dies)
    for _ in range(100):
        try:
            killed = tune.run(context, Budget(trials=6), no_model)
            break
        except KeyboardInterrupt:
            continue
    assert trials(killed.artifact.path) == trials(whole.artifact.path)
    documents = [files.read_json(result.artifact.path / artifact_files.TUNING) for result in (killed, whole)]
    for document in documents:
        for one in document["systems"].values():
            del one["seconds"]
    assert documents[0] == documents[1]


def test_what_happens_in_test_changes_no_trial(tmp_path: Path) -> None:
    """The control: with other events of train the trials are others."""
    log = log_of_events()
    rng = np.random.default_rng(9)
    other_test = [e._replace(item=int(rng.integers(24))) if e.split == "test" else e for e in log]
    other_train = [e._replace(item=int(rng.integers(24))) if e.split == "train" else e for e in log]
    found = []
    for name, events in (("log", log), ("test", other_test), ("train", other_train)):
        context = ranked_workspace(tmp_path / name, events, **SCORERS)
        found.append(trials(tune.run(context, Budget(trials=4), no_model).artifact.path))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_figures_of_too_few_users_choose_nothing(tmp_path: Path) -> None:
    context = scorers(tmp_path)
    document = {**context.settings.model_dump(mode="json"), "evaluate": {"min_users": 50}}
    with pytest.raises(ConfigError, match="enough users in valid"):
        tune.run(replace(context, settings=Settings.model_validate(document)), Budget(trials=2), no_model)


def test_trials_that_would_not_begin_alike_are_refused(tmp_path: Path) -> None:
    context = scorers(tmp_path)
    document = {**context.settings.model_dump(mode="json"), "finetune": {"warm_start": True}}
    with pytest.raises(ConfigError, match=r"finetune\.warm_start=false"):
        pipeline.tune(replace(context, settings=Settings.model_validate(document)), Budget(trials=2))


def test_without_anything_held_out_nothing_is_searched(tmp_path: Path) -> None:
    context = scorers(tmp_path)
    split = {"method": "none", "verified": str(tmp_path / "other")}
    document = {**context.settings.model_dump(mode="json"), "preprocess": {"split": split}}
    with pytest.raises(ConfigError, match="nothing is held out"):
        pipeline.tune(replace(context, settings=Settings.model_validate(document)), Budget(trials=2))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("rank.eas.half_life", "did you mean 'ease'"),
        ("rank.ease", "expected a key of finetune or of a scorer"),
        ("preprocess.split.test", "expected a key of finetune or of a scorer"),
        ("rank.trials", "expected a key of finetune or of a scorer"),
        ("finetune.negatives.count.x", "no such key"),
    ],
)
def test_the_space_names_keys_that_exist(tmp_path: Path, key: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"tune.space.{key}: .*{message}"):
        scorers(tmp_path, space={key: {"low": 1, "high": 2}})


TRAINED = {
    "finetune": {"epochs": 4, "hidden": [8], "negatives": {"count": 2}, "width": 8, "patience": 9},
    "rank": {
        "systems": ["interestrec"],
        "components": ["intensity"],
        "estimators": [],
        "trials": 1,
        "deletion_users": 0,
    },
    "tune": {
        "bracket": 3,
        "first_rung": 2,
        "space": {"finetune.width": {"values": [8, 16]}, "finetune.batch_size": None},
    },
}


def test_trials_of_the_model_pause_and_go_on_beside_the_current_one(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = shop(tmp_path, tiny_encoder, **TRAINED)
    assert tuned_model(context.settings.finetune, context.settings.tune).rungs == [2, 4]
    epochs: list[int] = []
    run_epoch = loop._Run._epoch

    def counted(self: Any, *asked: Any) -> None:
        epochs.append(self.progress.epoch)
        run_epoch(self, *asked)

    monkeypatch.setattr(loop._Run, "_epoch", counted)
    result = pipeline.tune(context, Budget(trials=3))
    path = result.artifact.path
    rows = trials(path)
    assert [row["state"] for row in rows].count("complete") in (1, 2)  # the configured settings, and the best of three
    assert not list((context.settings.workspace / "work").rglob("step-*"))
    assert not list((context.settings.workspace / "locks").iterdir())
    complete = [row for row in rows if row["state"] == "complete"]
    assert len(epochs) == 4 * len(complete) + 2 * (3 - len(complete))  # no epoch is trained twice
    curves = pq.read_table(path / artifact_files.CURVES).to_pandas()
    for row in rows:
        own = curves[curves["trial"] == row["trial"]].set_index("rung")["value"]
        assert list(own.index) == list(range(row["rung"] + 1))
        assert row["value"] == own.max()
    current = open_artifact(context.settings.workspace / "model", "model")
    assert current.manifest["config"]["finetune"] == context.settings.finetune.model_dump(mode="json")
    tuned = Settings.model_validate(yaml.safe_load((path / artifact_files.TUNED).read_text()))
    monkeypatch.setattr(finetuning, "finetune", no_model)
    again = pipeline.run_stage("finetune", RunContext(tuned))
    assert again.artifact.manifest["config"]["finetune"] == tuned.finetune.model_dump(mode="json")
