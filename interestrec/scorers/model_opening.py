"""Opening of the models of a `model` artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from interestrec.core.deferred_import import np
from interestrec.core.errors import ArtifactError
from interestrec.scorers.two_tower_model import TwoTowerModel

if TYPE_CHECKING:
    from interestrec.metrics.calibration import LogitCalibration
    from interestrec.model.two_tower_config import TwoTowerConfig
    from interestrec.scorers.scorer_inputs import ScorerInputs
    from interestrec.scorers.user_inputs import UserInputs


def open_models(path: Path, inputs: ScorerInputs | None = None) -> list[TwoTowerModel]:
    """Load the models of a `model` artifact, one per seed; see `open_model`."""
    return [open_model(member, inputs) for member in member_paths(path)]


def member_paths(path: Path) -> list[Path]:
    """Return the directories of the models of an artifact, one per seed."""
    from interestrec.io import artifact_files

    members = sorted(path.glob(artifact_files.MEMBER.format("*")), key=lambda member: int(member.name.split("-")[1]))
    return [path, *members]


def open_model(path: Path, inputs: ScorerInputs | None = None) -> TwoTowerModel:
    """Load the model of a `model` artifact, without TensorFlow unless it represents users by texts.

    Args:
        inputs: with the corpus of the requests; without it nothing is known of any moment. Required if the model
            represents users by texts.

    Raises:
        InputMissingError: a file of an artifact is missing.
        ArtifactError: a file of an artifact is invalid or does not match the model, or users are texts, but `inputs` is
            None.
    """
    from interestrec.corpus.moments import Moments
    from interestrec.io import artifact_files, files
    from interestrec.model.two_tower_arrays import TwoTowerArrays
    from interestrec.model.two_tower_config import ItemArrays
    from interestrec.model.two_tower_files import read_two_tower
    from interestrec.scorers.user_inputs import ItemUserInputs, KnownUsers

    arrays = files.read_safetensors(path / artifact_files.ITEM_VECTORS)
    config, weights = read_two_tower(path)
    _require_fitting(arrays, config, path)
    items = ItemArrays(*(arrays[name] for name in ("item", "entry", "candidate", "category", "price")))
    moments = None if inputs is None else Moments.of(inputs.corpus)
    users = KnownUsers(arrays["user"], moments)
    user_inputs: UserInputs = ItemUserInputs(items, config.max_history, users)
    if config.user_text is not None:
        if inputs is None:
            raise ArtifactError("the model represents users by texts; loading it requires an encoder and a corpus")
        from interestrec.scorers.text_user_inputs import text_user_inputs

        user_inputs = text_user_inputs(path, users, inputs)
    model, tasks = TwoTowerArrays(config, weights, items), read_task_calibrations(path, config)
    return TwoTowerModel(model, user_inputs, moments, read_calibration(path), tasks)


def read_calibration(path: Path) -> LogitCalibration:
    """Read the calibration of a `model` artifact's logits of strength.

    Raises:
        ArtifactError: the file is not a calibration.
    """
    from interestrec.io import artifact_files, files
    from interestrec.metrics.calibration import LogitCalibration

    file = path / artifact_files.CALIBRATION
    try:
        calibration = LogitCalibration.of(files.read_json(file))
        if not np.isfinite([calibration.scale, calibration.shift]).all():
            raise ValueError("not finite")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{file}: not a valid calibration ({error}); run finetune again") from error
    return calibration


def read_task_calibrations(path: Path, config: TwoTowerConfig) -> dict[str, dict[str, Any]]:
    """Read the calibrations of the scores of a `model` artifact's tasks, by name.

    Raises:
        ArtifactError: a task has none, or it is no calibration.
    """
    from interestrec.io import artifact_files, files

    file = path / artifact_files.CALIBRATION
    found = files.read_json(file).get("tasks", {}) if config.tasks else {}
    for task in config.tasks:
        values = found.get(task.name)
        numbers = [] if not isinstance(values, dict) else [values.get(name) for name in ("scale", "shift")]
        if not numbers or not all(isinstance(number, float) and np.isfinite(number) for number in numbers):
            raise ArtifactError(f"{file}: has no valid calibration of the task '{task.name}'; run finetune again")
    return dict(found)


def _require_fitting(arrays: dict[str, np.ndarray], config: TwoTowerConfig, path: Path) -> None:
    """Raise an ArtifactError unless the arrays of items and users have equal lengths and the widths of the model."""
    from interestrec.corpus.feature_codes import packed_width

    nothing = np.zeros(0)
    texts, rows = arrays.get("item", nothing), len(arrays.get("item", nothing))
    columns = packed_width(config.user_features)
    expected = {
        "item": (rows, config.text_width),
        "entry": (rows, config.width),
        "candidate": (rows, config.width),
        "category": (rows, config.levels),
        "price": (rows,),
        "user": (len(arrays.get("user", nothing)), columns),
    }
    kinds = {"category": "i", "user": "i"}
    right = all(
        arrays.get(name, nothing).shape == shape and arrays.get(name, nothing).dtype.kind == kinds.get(name, "f")
        for name, shape in expected.items()
    )
    if not right or texts.dtype != np.float32 or not np.isfinite(texts).all():
        raise ArtifactError(f"{path / 'item_vectors.safetensors'}: does not match the model; run finetune again")
