"""Files of the two-tower model in a `model` artifact: configuration, weights, and trained tensors of the encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import files
from interestrec.model.feature_tables import cells as feature_cells
from interestrec.model.read_weights import read_shapes
from interestrec.model.two_tower_config import ModelTask, TwoTowerConfig

if TYPE_CHECKING:
    from interestrec.model.two_tower import TwoTower

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
_ENCODER_PREFIX = "encoder."  # of the names of the encoder's tensors
# Keys of the configuration that determine the shapes and the meaning of weights.
_STRUCTURE_KEYS = (
    *("text_width", "width", "hidden", "levels", "attributes", "user_features", "blocks", "max_history"),
    *("similarity", "user_text", "modalities", "tasks", "experts"),
)


def save_two_tower(model: TwoTower, directory: Path, extra: Mapping[str, np.ndarray]) -> None:
    """Write configuration and weights; `extra` are trained encoder tensors by their Hugging Face names."""
    files.write_json(directory / CONFIG, _json_values(model.config))
    learned = {f"{_ENCODER_PREFIX}{name}": value for name, value in extra.items()}
    files.write_safetensors(directory / WEIGHTS, {**model.export_weights(), **learned})


def _json_values(config: TwoTowerConfig) -> dict[str, Any]:
    """Return the values of a configuration as its file has them, without those that are None."""
    values: dict[str, Any] = json.loads(json.dumps(config.values()))  # lists for tuples
    return {name: value for name, value in values.items() if value is not None}


def read_learned(directory: Path) -> dict[str, np.ndarray]:
    """Read the trained encoder tensors of a `model` artifact by their Hugging Face names."""
    tensors = files.read_safetensors(directory / WEIGHTS)
    return {
        name.removeprefix(_ENCODER_PREFIX): value for name, value in tensors.items() if name.startswith(_ENCODER_PREFIX)
    }


def load_two_tower(directory: Path) -> TwoTower:
    """Build the model of a `model` artifact and load its checked weights.

    Raises:
        ArtifactError: a weight is missing or has another shape.
    """
    from interestrec.model.two_tower import TwoTower

    model = TwoTower(_read_config(directory), name="two_tower")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return model


def read_two_tower(directory: Path) -> tuple[TwoTowerConfig, dict[str, np.ndarray]]:
    """Read the configuration of a `model` artifact and the checked weights that scoring reads, without TensorFlow.

    Raises:
        ArtifactError: a weight is missing or has another shape.
    """
    config = _read_config(directory)
    tensors = files.read_safetensors(directory / WEIGHTS)
    return config, {name: _checked(name, shape, tensors, directory) for name, shape in read_shapes(config).items()}


def _read_config(directory: Path) -> TwoTowerConfig:
    """Read the configuration and check it against the size of the weights, before the model is built."""
    values = files.read_json(directory / CONFIG)
    try:
        config = TwoTowerConfig.from_json(values)
        steps = [2 * config.width, *config.hidden]
        cells = sum(a * b for a, b in pairwise(steps)) + config.levels
        cells += config.text_width**2 if config.similarity == "history" else 0
        cells += 2 * config.text_width * config.width
        cells += sum(2 * feature_cells(shape, config.width) for shape in config.attributes)
        cells += sum(feature_cells(shape, config.width) for shape in config.user_features)
        if config.modalities and sum(width for _, width in config.modalities) != config.text_width:
            raise ValueError("modalities")
        cells += sum(3 * config.width + task.thresholds for task in config.tasks)
        cells += config.experts * 2 * config.width**2
        smallest = min(len(config.hidden), *steps, config.levels + 1, config.max_history, config.blocks + 1)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{directory / CONFIG}: is not the configuration of a model; finetune again") from error
    if smallest < 1 or 4 * cells > (directory / WEIGHTS).stat().st_size:
        raise ArtifactError(f"{directory / CONFIG}: describes a model other than the one in {WEIGHTS}; finetune again")
    return config


def start_from(model: TwoTower, directory: Path) -> dict[str, np.ndarray]:
    """Set the weights of a model from a `model` artifact and return the artifact's trained encoder tensors.

    Raises:
        ConfigError: the two models have different structures.
        ArtifactError: a weight is missing or has another shape.
    """
    stored = files.read_json(directory / CONFIG)
    here, there = ({**values, "tasks": _task_structures(values)} for values in (_json_values(model.config), stored))
    if differing := [key for key in _STRUCTURE_KEYS if here.get(key) != there.get(key)]:
        differences = ", ".join(f"{key} is {here.get(key)} here and {there.get(key)} there" for key in differing)
        raise ConfigError(f"--from {directory}: the model has another structure: {differences}; train without --from")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return read_learned(directory)


def _task_structures(values: Mapping[str, Any]) -> list[Any]:
    """Return what the weights of tasks depend on, of the JSON values of a configuration."""
    return [list(ModelTask(**task).structure) for task in values.get("tasks", ())]


def _assign(model: TwoTower, tensors: Mapping[str, np.ndarray], directory: Path) -> None:
    for weight in model.weights:
        weight.assign(_checked(weight.path, tuple(weight.shape), tensors, directory))


def _checked(name: str, shape: tuple[int, ...], tensors: Mapping[str, np.ndarray], directory: Path) -> np.ndarray:
    if name not in tensors or tensors[name].shape != shape:
        raise ArtifactError(f"{directory / WEIGHTS}: '{name}' is missing or misshapen; finetune again")
    if not np.isfinite(tensors[name]).all():
        raise ArtifactError(f"{directory / WEIGHTS}: '{name}' has values that are not finite; finetune again")
    return tensors[name]
