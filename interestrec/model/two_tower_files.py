"""Files of the two-tower model in a `model` artifact: configuration, weights, and trained tensors of the encoder."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.corpus.feature_codes import FeatureShape
from interestrec.io import files
from interestrec.model.entity_features import cells as feature_cells
from interestrec.model.two_tower import TwoTower, TwoTowerConfig
from interestrec.model.user_tower import TextUser

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
_ENCODER_PREFIX = "encoder."  # of the names of the encoder's tensors
# Keys of the configuration that determine the shapes and the meaning of weights.
_STRUCTURE_KEYS = (
    *("text_width", "width", "hidden", "levels", "attributes", "user_features", "blocks", "max_history"),
    *("similarity", "user_text"),
)


def save_two_tower(model: TwoTower, directory: Path, extra: Mapping[str, np.ndarray]) -> None:
    """Write configuration and weights; `extra` are trained encoder tensors by their Hugging Face names."""
    config = asdict(model.config)
    if model.config.user_text is None:
        del config["user_text"]
    files.write_json(directory / CONFIG, config)
    tensors = {weight.path: np.asarray(weight.numpy()) for weight in model.weights}
    files.write_safetensors(directory / WEIGHTS, {**tensors, **{f"{_ENCODER_PREFIX}{k}": v for k, v in extra.items()}})


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
    model = TwoTower(_read_config(directory), name="two_tower")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return model


def _read_config(directory: Path) -> TwoTowerConfig:
    """Read the configuration and check it against the size of the weights, before the model is built."""
    values = files.read_json(directory / CONFIG)
    try:
        tables = tuple(FeatureShape.of(*shape) for shape in values["attributes"])
        user_tables = tuple(FeatureShape.of(*shape) for shape in values["user_features"])
        if "user_text" in values:
            values["user_text"] = TextUser.from_json(values["user_text"])
        changed = {"hidden": tuple(values["hidden"]), "attributes": tables, "user_features": user_tables}
        config = TwoTowerConfig(**{**values, **changed})
        steps = [2 * config.width, *config.hidden]
        cells = sum(a * b for a, b in pairwise(steps)) + config.levels
        cells += config.text_width**2 if config.similarity == "history" else 0
        cells += 2 * config.text_width * config.width
        cells += sum(2 * feature_cells(shape, config.width) for shape in tables)
        cells += sum(feature_cells(shape, config.width) for shape in user_tables)
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
    current = json.loads(json.dumps(asdict(model.config)))  # lists for tuples, as in the file
    if differing := [key for key in current if key in _STRUCTURE_KEYS and current[key] != stored.get(key)]:
        differences = ", ".join(f"{key} is {current[key]} here and {stored.get(key)} there" for key in differing)
        raise ConfigError(f"--from {directory}: the model has another structure: {differences}; train without --from")
    _assign(model, files.read_safetensors(directory / WEIGHTS), directory)
    return read_learned(directory)


def _assign(model: TwoTower, tensors: Mapping[str, np.ndarray], directory: Path) -> None:
    for weight in model.weights:
        if weight.path not in tensors or tensors[weight.path].shape != tuple(weight.shape):
            raise ArtifactError(f"{directory / WEIGHTS}: '{weight.path}' is missing or misshapen; finetune again")
        if not np.isfinite(tensors[weight.path]).all():
            raise ArtifactError(
                f"{directory / WEIGHTS}: '{weight.path}' has values that are not finite; finetune again"
            )
        weight.assign(tensors[weight.path])
