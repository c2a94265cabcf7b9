"""`finetune --folds` and `finetune --from` on generated news."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interestrec.core.errors import ArtifactError, ConfigError, UsageError
from interestrec.io import files, schemas
from interestrec.stages import finetune, pretrain_adapt
from interestrec.stages.run import RunContext
from interestrec.training.finetune_settings import VectorCacheSettings
from tests.stages.learning import ADAPTATION, workspace
from tests.training.cut_off import PowerCut

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    context = workspace(tmp_path_factory.mktemp("folds"), tiny_encoder, runtime={"checkpoint_seconds": 0})
    pretrain_adapt.run(context)
    return context


def with_finetune(context: RunContext, **changes: object) -> RunContext:
    settings = context.settings
    return replace(
        context, settings=settings.model_copy(update={"finetune": settings.finetune.model_copy(update=changes)})
    )


@pytest.mark.parametrize("by", ["users", "time"])
def test_every_fold_has_every_metric_and_the_summary_is_their_mean(learning: RunContext, by: str) -> None:
    result = finetune.cross_validate(learning, 2, by)
    table = files.read_parquet(result.artifact.path / "folds.parquet", schemas.FOLDS).to_pandas()
    assert sorted(table["fold"].unique()) == [0, 1]
    assert set(table["metric"]) == {"auc", "rmse", "logloss"}
    assert (table["n"] > 0).all()
    auc = table[table["metric"] == "auc"]["value"]
    assert auc.between(0, 1).all()
    assert result.summary["auc"] == pytest.approx(auc.mean())
    assert result.summary["auc_std"] == pytest.approx(auc.std())
    assert not (learning.settings.workspace / "model").exists()


def test_folds_go_on_where_they_were_cut_off(learning: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    context = with_finetune(learning, dropout=0.2)
    calls = []

    def counted(run: finetune._Training, *arguments: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise PowerCut
        return original(run, *arguments, **named)

    original = finetune._Training.train
    monkeypatch.setattr(finetune._Training, "train", counted)
    with pytest.raises(PowerCut):
        finetune.cross_validate(context, 3, "users")
    resumed = finetune.cross_validate(context, 3, "users")
    assert len(calls) == 4  # the first is done, the second was cut off, two are left
    whole = finetune.cross_validate(replace(context, force=True), 3, "users")
    assert resumed.summary == whole.summary


def test_one_fold_is_none(learning: RunContext) -> None:
    with pytest.raises(UsageError, match="--folds is 1"):
        finetune.cross_validate(learning, 1, "users")
    with pytest.raises(ConfigError, match="choose from: time, users"):
        finetune.cross_validate(learning, 2, "items")


@pytest.fixture(scope="module")
def yesterday(learning: RunContext) -> tuple[RunContext, Path]:
    context = with_finetune(learning, trainable_layers=1, encoder_learning_rate=1e-2, learning_rate=1e-2, patience=9)
    return context, finetune.run(context).artifact.path


def test_a_start_model_is_where_training_starts(yesterday: tuple[RunContext, Path]) -> None:
    context, model = yesterday
    assert files.read_json(model / "outcome.json")["best_epoch"] > 0
    still = with_finetune(context, epochs=0, history_epochs=0)
    again = finetune.run(replace(still, start=model)).artifact
    cold = finetune.run(still).artifact
    before, after, new = (
        files.read_safetensors(path / "weights.safetensors") for path in (model, again.path, cold.path)
    )
    assert set(after) == set(before)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert any(not np.array_equal(new[name], before[name]) for name in before)
    vectors = [files.read_safetensors(path / "item_vectors.safetensors") for path in (model, again.path)]
    np.testing.assert_array_equal(vectors[0]["item"], vectors[1]["item"])
    np.testing.assert_array_equal(vectors[0]["frozen"], vectors[1]["frozen"])
    assert again.digest != cold.digest


def test_a_start_model_that_does_not_fit_is_refused(
    yesterday: tuple[RunContext, Path], tmp_path: Path, tiny_encoder: Path
) -> None:
    context, model = yesterday
    with pytest.raises(ConfigError, match=r"hidden is \[4\] here and \[8\] there"):
        finetune.run(replace(with_finetune(context, hidden=[4]), start=model))
    with pytest.raises(ConfigError, match="has 1 trained encoder layers"):
        finetune.run(replace(with_finetune(context, trainable_layers=0), start=model))
    other = workspace(tmp_path, tiny_encoder, pretrain_adapt=ADAPTATION)
    pretrain_adapt.run(other)
    with pytest.raises(ArtifactError, match="another encoder"):
        finetune.run(replace(other, start=model))


def test_several_workers_remember_no_vectors(learning: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}')
    cached = VectorCacheSettings(probability=0.5)
    with pytest.raises(ConfigError, match="leave it out if several workers train"):
        finetune.run(with_finetune(learning, trainable_layers=1, vector_cache=cached))
