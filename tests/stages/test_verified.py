"""`preprocess.split.method: none`: all is train, and finetune leans on the choices of a verified run."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError, UsageError
from interestrec.io import files
from interestrec.stages import finetune, pretrain_adapt
from interestrec.stages.run import RunContext
from interestrec.training import training_checkpoint
from tests.stages.learning import workspace
from tests.training.cut_off import CutOff, PowerCut

pytestmark = pytest.mark.slow

FINETUNE = {
    "epochs": 3,
    "history_epochs": 1,
    "hidden": [8],
    "learning_rate": 1e-2,
    "negatives": {"count": 2},
    "user_tower": "text",  # whose documents are made of all examples that are looked at
}


def learning(root: Path, encoder: Path, name: str, split: dict[str, Any]) -> RunContext:
    context = workspace(
        root,
        encoder,
        workspace=str(root / name),
        preprocess={"split": split},
        finetune=FINETUNE,
        runtime={"checkpoint_seconds": 0},
    )
    pretrain_adapt.run(context)
    return context


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> RunContext:
    """The run with a valid split."""
    context = learning(tmp_path_factory.mktemp("runs"), tiny_encoder, "verified", {"method": "given"})
    finetune.run(context)
    return context


@pytest.fixture(scope="module")
def production(verified: RunContext, tiny_encoder: Path) -> RunContext:
    """The run over the same files without one."""
    place = verified.settings.workspace
    context = learning(place.parent, tiny_encoder, "production", {"method": "none", "verified": str(place)})
    finetune.run(context)
    return context


def model(context: RunContext) -> Path:
    return context.settings.workspace / "model"


def changed(context: RunContext, section: str, **changes: Any) -> RunContext:
    settings = context.settings
    return replace(
        context,
        settings=settings.model_copy(update={section: getattr(settings, section).model_copy(update=changes)}),
    )


def leaning_on(context: RunContext, place: Path) -> RunContext:
    return changed(
        context, "preprocess", split=context.settings.preprocess.split.model_copy(update={"verified": place})
    )


def test_all_of_the_files_is_train(verified: RunContext, production: RunContext) -> None:
    counts = [
        files.read_json(context.settings.workspace / "corpus" / "quality.json")["counts"]["impressions"]
        for context in (verified, production)
    ]
    assert counts[1] == {"train": sum(counts[0].values()), "valid": 0, "test": 0}
    assert counts[0]["test"] > 0


def test_it_trains_as_long_and_is_calibrated_as_the_verified_run(verified: RunContext, production: RunContext) -> None:
    epochs = files.read_json(model(verified) / "outcome.json")["epochs"]
    assert epochs
    told = files.read_json(model(production) / "outcome.json")
    assert set(told) == {"epochs", "encoder_sha256"}
    assert told["epochs"] == epochs
    name = "calibration.json"
    assert (model(production) / name).read_text() == (model(verified) / name).read_text()
    log = pq.read_table(model(production) / "training_log.parquet").to_pandas()
    assert not log["name"].str.startswith("valid").any()
    assert log["epoch"].max() == sum(epochs.values())


def test_the_verified_model_is_an_input_and_where_it_lies_is_none(verified: RunContext, production: RunContext) -> None:
    inputs = files.read_json(model(production) / "manifest.json")["inputs"]
    assert inputs["verified"] == files.sha256_of(model(verified) / "manifest.json")
    moved = verified.settings.workspace.with_name("moved")
    if not moved.exists():
        moved.symlink_to(verified.settings.workspace)
    assert not finetune.run(leaning_on(production, moved)).built


def test_a_run_that_was_cut_off_ends_with_the_same_bits(
    production: RunContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = files.sha256_of(model(production) / "weights.safetensors")
    again = replace(production, force=True)
    with monkeypatch.context() as patch, pytest.raises(PowerCut):
        patch.setattr(training_checkpoint, "CheckpointStore", lambda directory, *_: CutOff(directory, 5))
        finetune.run(again)
    shutil.rmtree(model(production).resolve())
    with caplog.at_level(logging.INFO, "interestrec"):
        assert finetune.run(production).built
    assert "resuming from step" in caplog.text
    assert files.sha256_of(model(production) / "weights.safetensors") == whole


def test_what_does_not_fit_is_refused(verified: RunContext, production: RunContext, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has other values of finetune\.negatives\.count, finetune\.hidden;"):
        negatives = production.settings.finetune.negatives.model_copy(update={"count": 3})
        finetune.run(changed(production, "finetune", hidden=[4], negatives=negatives))
    with pytest.raises(ConfigError, match="other values of relevant_at;"):
        finetune.run(changed(production, "data", relevant_at=0.5))
    with pytest.raises(ConfigError, match="held no data out"):
        finetune.run(leaning_on(production, production.settings.workspace))
    with pytest.raises(InputMissingError, match="no model here"):
        finetune.run(leaning_on(production, tmp_path))
    with pytest.raises(UsageError, match="--folds needs a valid split"):
        finetune.cross_validate(production, 2, "users")
    with pytest.raises(ArtifactError, match=r"was split by the method given, but .* is none"):
        corpus, encoder = (verified.settings.workspace / kind for kind in ("corpus", "encoder"))
        finetune.run(replace(production, paths={"corpus": corpus, "encoder": encoder}))


def test_a_model_that_does_not_tell_its_epochs_is_refused(production: RunContext, verified: RunContext) -> None:
    outcome, manifest = model(verified) / "outcome.json", model(verified) / "manifest.json"
    text, content = outcome.read_text(), manifest.read_text()
    whole = files.sha256_of(outcome)
    try:
        outcome.write_text(text.replace('"epochs"', '"epoch_"'))
        manifest.write_text(content.replace(whole, files.sha256_of(outcome)))
        with pytest.raises(ArtifactError, match="lacks the epochs"):
            finetune.run(production)
    finally:
        outcome.write_text(text)
        manifest.write_text(content)


def test_a_workspace_does_not_verify_itself(production: RunContext) -> None:
    values = production.settings.model_dump(mode="json")
    values["workspace"] = values["preprocess"]["split"]["verified"]
    with pytest.raises(ValidationError, match="is the workspace of this run;"):
        type(production.settings).model_validate(values)
