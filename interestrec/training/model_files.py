"""The files of a `model` artifact."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from interestrec.io import artifact_files, files, schemas
from interestrec.model.two_tower_files import save_two_tower
from interestrec.training.finetuning import TrainedModel
from interestrec.training.preparation import TrainingInputs


def write_model(directory: Path, trained: TrainedModel, inputs: TrainingInputs, encoder_sha256: str) -> None:
    """Write weights, vectors of all items, features of items and users, calibration, training log and outcome."""
    save_two_tower(trained.model, directory, inputs.encoder.export_learned(inputs.settings.trainable_layers))
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
    files.write_json(directory / artifact_files.CALIBRATION, trained.calibration.values())
    values: dict[str, Any] = {"epochs": outcome.epochs, "encoder_sha256": encoder_sha256}
    if outcome.decides is not None:
        values |= {f"{name}_start": value for name, value in outcome.history.at_epoch(0).items()}
        values |= outcome.history.at_epoch(outcome.best_epoch)
        values |= {"best_epoch": outcome.best_epoch, "decided_by": outcome.decides}
    files.write_json(directory / artifact_files.OUTCOME, values)
