"""Where a run stands, and how a checkpoint says it."""

import json

from interestrec.training.training_log import TrainingHistory, TrainingProgress

STORED = {
    "phase": 1,
    "within": 2,
    "done": 3,
    "taken": 13,
    "step": 23,
    "epoch": 4,
    "waited": 1,
    "texts": 50,
    "encoded": 20,
    "best": 0.75,
    "decides": "valid_auc",
    "best_epoch": 3,
    "epochs": {"histories": 2, "impressions": 1},
}


def stored() -> TrainingProgress:
    return TrainingProgress.from_document(STORED)


def test_a_checkpoint_is_read_and_written_alike() -> None:
    progress = stored()
    assert (progress.epoch_in_phase, progress.step_in_epoch, progress.step_in_phase) == (2, 3, 13)
    assert progress.epochs_without_gain == 1
    assert progress.document() == STORED
    assert list(progress.document()) == list(STORED)


def test_a_step_counts_in_the_epoch_the_phase_and_the_run() -> None:
    progress = stored()
    progress.end_step()
    assert progress.document() == {**STORED, "done": 4, "taken": 14, "step": 24}


def test_the_next_epoch_begins_at_its_first_step() -> None:
    progress = stored()
    progress.end_epoch()
    assert progress.document() == {**STORED, "epoch": 5, "within": 3, "done": 0, "texts": 0, "encoded": 0}


def test_the_next_phase_begins_at_its_first_epoch() -> None:
    progress = stored()
    progress.end_phase()
    assert progress.document() == {**STORED, "phase": 2, "within": 0, "taken": 0, "waited": 0}


def test_the_log_of_a_gradient_that_overflowed_survives_a_checkpoint() -> None:
    history = TrainingHistory()
    history.add(1, 1, {"loss": 0.5, "gradient_norm": float("inf")})
    history.add(2, 1, {"loss": 0.25})
    written = json.dumps(history.document(), allow_nan=False)
    assert TrainingHistory.from_document(json.loads(written)) == history
    assert history.by_step() == {1: {"loss": 0.5, "gradient_norm": float("inf")}, 2: {"loss": 0.25}}
