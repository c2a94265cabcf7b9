"""Checkpoints: whole or not there, and a run that goes on from one ends with the same bits."""

import logging
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from interestrec.core import interrupts
from interestrec.core.errors import StorageError
from interestrec.model.bert_tensors import export
from interestrec.training import device, training_checkpoint
from interestrec.training.finetune_settings import VectorCacheSettings
from interestrec.training.loop import TrainingOutcome, fit
from interestrec.training.training_checkpoint import CheckpointStore, TrainingCheckpoint
from interestrec.training.training_log import TrainingPaused
from tests.faults import PowerCut as PowerLoss
from tests.faults import faults
from tests.kin import load_bert
from tests.pretraining import test_adaptation
from tests.training import test_loop
from tests.training.cut_off import CutOff, PowerCut
from tests.training.running import execution

pytestmark = pytest.mark.slow


def groups(value: float) -> dict[str, list[np.ndarray]]:
    return {"weights": [np.full(n, value, np.float32) for n in (3, 1, 2)], "seeds": [np.array([7, 8], np.uint32)]}


def test_the_newest_of_two_is_read_back(tmp_path: Path) -> None:
    kept = CheckpointStore(tmp_path / "work", 0.0)
    assert kept.latest() is None
    for step in (1, 2, 10):
        kept.save(step, groups(step), {"step": step, "loss": [0.1 + 0.2, 1e-300]})
    found = CheckpointStore(tmp_path / "work", 0.0).latest()
    assert found is not None
    assert found.progress == {"step": 10, "loss": [0.1 + 0.2, 1e-300]}
    assert [value.tolist() for value in found.groups["weights"]] == [[10, 10, 10], [10], [10, 10]]
    assert found.groups["seeds"][0].dtype == np.uint32
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [f"step-{n:012d}" for n in (2, 10)]


def test_one_is_due_after_some_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr(training_checkpoint.time, "monotonic", lambda: now[0])
    kept = CheckpointStore(tmp_path, 60.0)
    for moment, due in ((64.9, False), (65.0, True)):
        now[0] = moment
        assert kept.is_due() == due
    kept.save(1, groups(1), {"step": 1})
    assert not kept.is_due()


@pytest.mark.parametrize("name", ["tensors.safetensors", "progress.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_one_is_passed_over_and_said_so(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = CheckpointStore(tmp_path, 0.0)
    for step in (1, 2):
        kept.save(step, groups(step), {"step": step})
    path = tmp_path / "step-000000000002" / name
    content = bytearray(path.read_bytes())
    content[-4] ^= 255
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    with caplog.at_level(logging.WARNING, "interestrec"):
        found = kept.latest()
    assert found is not None
    assert found.progress == {"step": 1}
    assert "going back to the one before" in caplog.text


def test_a_failed_write_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = CheckpointStore(tmp_path, 0.0)
    kept.save(1, groups(1), {"step": 1})

    def full(*_: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr("interestrec.io.files.write_safetensors", full)
    with pytest.raises(StorageError):
        kept.save(2, groups(2), {"step": 2})
    found = kept.latest()
    assert found is not None
    assert found.progress == {"step": 1}


@pytest.mark.parametrize("name", ["tensors.safetensors", "progress.json"])
def test_every_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    kept = CheckpointStore(tmp_path, 0.0)
    for step in (1, 2):
        kept.save(step, groups(step), {"step": step, "loss": [0.5]})
    path = tmp_path / "step-000000000002" / name
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = kept.latest()
        # Beside what it says, JSON has spaces, and those may be others.
        same = name.endswith("json") and found is not None and found.progress["step"] == 2
        assert found is not None and (found.progress["step"] == 1 or (same and whole[at : at + 1].isspace())), at


@pytest.mark.parametrize("late", [False, True])
def test_a_crash_before_or_after_any_call_of_a_save_loses_no_more_than_that_save(
    tmp_path: Path, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def begun(name: str) -> CheckpointStore:
        made = CheckpointStore(tmp_path / name, 0.0)
        for step in (1, 2):
            made.save(step, groups(step), {"step": step})
        return made

    def save(made: CheckpointStore, step: int) -> None:
        made.save(step, groups(step), {"step": step})

    for step in (3, 2):  # a new one, and one that takes the place of another
        kept = begun(f"count-{step}")
        with faults(kept.directory) as counted:
            save(kept, step)
        assert counted.count > 10
        for at in range(1, counted.count + 1):
            kept = begun(f"cut-{step}-{at}")
            with pytest.raises(PowerLoss), faults(kept.directory, at, after=late):
                save(kept, step)
            found = kept.latest()
            assert found is not None and found.progress["step"] in (2, step)
            save(kept, 4)
            found = kept.latest()
            assert found is not None and found.progress["step"] == 4
            assert len(list(kept.directory.iterdir())) == 2


def test_a_signal_is_waited_for_by_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not CheckpointStore(tmp_path, 1000.0).is_due()
    monkeypatch.setattr(interrupts, "_received", signal.SIGTERM)
    assert CheckpointStore(tmp_path, 1000.0).is_due()
    assert not CheckpointStore(tmp_path, 1000.0, writes=False).is_due()


def train(
    encoder: Path,
    checkpoints: CheckpointStore,
    reuse: VectorCacheSettings,
    exactly: dict[str, int] | None = None,
    pause_after: int | None = None,
) -> tuple[TrainingOutcome, list[np.ndarray]]:
    """Two phases with dropout in the towers and in the encoder's top layer."""
    device.prepare("cpu", None, 5)
    bert = load_bert(encoder)
    model = test_loop.tower(dropout=0.3)
    texts = test_loop.learning_texts(bert, 1, reuse)

    def validate() -> float:
        return 0.5 + sum(float(np.abs(v.numpy()).sum()) for v in model.trainable_variables) % 0.4

    phases = [replace(test_loop.phase(2), name="histories"), test_loop.phase(2)]
    rates, chosen = test_loop.settings(9), test_loop.never if exactly else validate
    given = (
        test_loop.CODES,
        test_loop.NO_FEATURES,
        phases,
        rates,
        execution(pause_after=pause_after),
        test_loop.by_auc(chosen),
    )
    outcome = fit(model, texts, *given, checkpoints, 5, exactly)
    return outcome, [*test_loop.weights(model), *export(bert).values()]


REUSES = {
    "encoded": VectorCacheSettings(),
    "remembered": VectorCacheSettings(probability=0.5, max_age=3, max_tokens=100),
}


@pytest.fixture(scope="module")
def undisturbed(
    request: pytest.FixtureRequest, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VectorCacheSettings, TrainingOutcome, list[np.ndarray]]:
    reuse = REUSES[request.param]
    return reuse, *train(tiny_encoder, CheckpointStore(tmp_path_factory.mktemp("whole"), float("inf")), reuse)


@pytest.fixture(scope="module")
def cut_off(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int, Path], Path]:
    """A function that copies the checkpoints of a training that was cut off at a step."""
    made: dict[tuple[str, int], Path] = {}

    def copied(name: str, at: int, target: Path) -> Path:
        if (name, at) not in made:
            made[name, at] = tmp_path_factory.mktemp("cut")
            with pytest.raises(PowerCut):
                train(tiny_encoder, CutOff(made[name, at], at), REUSES[name])
        return shutil.copytree(made[name, at], target / "cut")

    return copied


# Each epoch has five steps, each phase two epochs: within an epoch, at the end of one, within the second phase.
# Half of the texts of "remembered" are encoded, so the other one is tried at the end of an epoch alone.
@pytest.mark.parametrize(
    ("undisturbed", "name", "at"),
    [("encoded", "encoded", 6), *(("remembered", "remembered", at) for at in (3, 6, 18))],
    indirect=["undisturbed"],
)
def test_training_goes_on_bit_by_bit(
    tiny_encoder: Path,
    tmp_path: Path,
    name: str,
    at: int,
    undisturbed: tuple[VectorCacheSettings, TrainingOutcome, list[np.ndarray]],
    cut_off: Callable[[str, int, Path], Path],
) -> None:
    reuse, whole, weights = undisturbed
    outcome, resumed = train(tiny_encoder, CheckpointStore(cut_off(name, at, tmp_path), 0.0), reuse)
    assert outcome == whole
    for ours, theirs in zip(resumed, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("undisturbed", ["encoded"], indirect=True)
def test_a_training_that_paused_goes_on_bit_by_bit(
    tiny_encoder: Path,
    tmp_path: Path,
    undisturbed: tuple[VectorCacheSettings, TrainingOutcome, list[np.ndarray]],
) -> None:
    reuse, whole, weights = undisturbed
    figures = {epoch: whole.history.at_epoch(epoch)["valid_auc"] for epoch in range(5)}
    steps = {}
    for epochs in (1, 1, 3):  # within each phase; a pause that was asked for twice trains nothing
        with pytest.raises(TrainingPaused) as paused:
            train(tiny_encoder, CheckpointStore(tmp_path, 0.0), reuse, pause_after=epochs)
        assert paused.value.curve == {epoch: figures[epoch] for epoch in range(epochs + 1)}
        steps[epochs] = max(path.name for path in tmp_path.iterdir())
    assert steps == {1: "step-000000000005", 3: "step-000000000015"}
    outcome, resumed = train(tiny_encoder, CheckpointStore(tmp_path, 0.0), reuse, pause_after=4)  # the last epoch
    assert outcome == whole
    for ours, theirs in zip(resumed, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Forgetful(CheckpointStore):
    """Gives back a checkpoint of which one group is lost."""

    def __init__(self, directory: Path, lost: str) -> None:
        super().__init__(directory, 1000.0)
        self.lost = lost

    def latest(self, strategy: tf.distribute.Strategy | None = None) -> TrainingCheckpoint | None:
        found = super().latest(strategy)
        assert found is not None
        assert found.groups[self.lost], "there was nothing to lose"
        zeros = [np.zeros_like(array) for array in found.groups[self.lost]]
        return TrainingCheckpoint({**found.groups, self.lost: zeros}, found.progress)


@pytest.mark.parametrize("undisturbed", ["remembered"], indirect=True)
@pytest.mark.parametrize(("lost", "at"), [("weights", 18), ("optimizer", 18), ("texts", 18), ("best", 24)])
def test_every_part_of_a_checkpoint_is_needed(
    tiny_encoder: Path,
    tmp_path: Path,
    lost: str,
    at: int,
    undisturbed: tuple[VectorCacheSettings, TrainingOutcome, list[np.ndarray]],
    cut_off: Callable[[str, int, Path], Path],
) -> None:
    reuse, whole, weights = undisturbed
    outcome, resumed = train(tiny_encoder, Forgetful(cut_off("remembered", at, tmp_path), lost), reuse)
    same = all(np.array_equal(ours, theirs) for ours, theirs in zip(resumed, weights, strict=True))
    assert not (same and outcome == whole)


def test_training_without_validation_goes_on_bit_by_bit(tiny_encoder: Path, tmp_path: Path) -> None:
    reuse, exactly = REUSES["encoded"], {"histories": 1, "impressions": 2}
    whole, weights = train(tiny_encoder, CheckpointStore(tmp_path / "whole", float("inf")), reuse, exactly)
    for at in (6, 8):  # the checkpoint after the last epoch of the first phase, and one within the second
        with pytest.raises(PowerCut):
            train(tiny_encoder, CutOff(tmp_path / str(at), at), reuse, exactly)
        outcome, resumed = train(tiny_encoder, CheckpointStore(tmp_path / str(at), 0.0), reuse, exactly)
        assert outcome == whole
        assert outcome.epochs == exactly
        for ours, theirs in zip(resumed, weights, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=str(at))


def test_adaptation_goes_on_bit_by_bit(tiny_encoder: Path, tmp_path: Path) -> None:
    whole, weights = test_adaptation.run(tiny_encoder, steps=8)
    for at in (1, 7):
        place = tmp_path / str(at)
        with pytest.raises(PowerCut):
            test_adaptation.run(tiny_encoder, steps=8, checkpoints=CutOff(place, at))
        adapted, resumed = test_adaptation.run(tiny_encoder, steps=8, checkpoints=CheckpointStore(place, 0.0))
        assert adapted == whole
        for name, value in weights.items():
            np.testing.assert_array_equal(resumed[name], value, err_msg=f"{name} {at}")
