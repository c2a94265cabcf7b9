"""The files of a `model` artifact."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.io import artifact_files, files, schemas
from interestrec.model.two_tower_files import save_two_tower
from interestrec.training.finetuning import TrainedModel
from interestrec.training.training_inputs import TrainingInputs


def write_model(directory: Path, trained: TrainedModel, inputs: TrainingInputs, encoder_sha256: str) -> None:
    """Write weights, vectors of all items, features of items and users, calibration, training log and outcome."""
    learned = {} if inputs.texts is None else inputs.texts.learned(inputs.settings)
    save_two_tower(trained.model, directory, learned)
    items = trained.model.item_arrays(trained.text_vectors, trained.codes)
    vectors = {
        "frozen": trained.frozen_vectors,
        "item": items.texts,
        "entry": items.entries,
        "candidate": items.candidates,
        "category": items.categories,
        "price": items.prices,
        "user": trained.user_features,
    }
    if len(inputs.modalities) > 1:
        vectors["modal"] = trained.text_vectors
    files.write_safetensors(directory / artifact_files.ITEM_VECTORS, vectors)
    for file, features in (
        (artifact_files.ATTRIBUTES, inputs.attributes),
        (artifact_files.USER_ATTRIBUTES, inputs.user_features),
    ):
        if features.fitted:
            files.write_json(directory / file, features.fitted)
    outcome = trained.outcome
    table = pa.table({name: getattr(outcome.history, name) for name in schemas.TRAINING_LOG.names})
    files.write_parquet(directory / artifact_files.TRAINING_LOG, table, schemas.TRAINING_LOG)
    of_tasks = {"tasks": dict(trained.task_calibrations)} if trained.task_calibrations else {}
    files.write_json(directory / artifact_files.CALIBRATION, {**trained.calibration.values(), **of_tasks})
    values: dict[str, Any] = {"epochs": outcome.epochs, "encoder_sha256": encoder_sha256}
    if outcome.decides is not None:
        values |= {f"{name}_start": value for name, value in outcome.history.at_epoch(0).items()}
        values |= outcome.history.at_epoch(outcome.best_epoch)
        values |= trained.calibration_errors
        values |= trained.task_figures
        values |= {"best_epoch": outcome.best_epoch, "decided_by": outcome.decides}
    files.write_json(directory / artifact_files.OUTCOME, values)
