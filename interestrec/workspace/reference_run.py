"""Choices that a run without held-out data takes from a reference run that held data out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import artifact_files, files
from interestrec.io.schemas import OURS
from interestrec.workspace.artifacts import open_artifact

REFERENCE_INPUT = "verified"  # input of the recipe of a model that uses a reference run
_RANK_KEYS = ("components", "estimators", "blend")  # keys of `rank` that both runs must share
_MODEL_KEYS = ("finetune", "items", "users", "encoders", "relevant_at")  # keys of a model's configuration, likewise


@dataclass(frozen=True)
class ReferenceRun:
    """Choices of a model on the valid split of its run."""

    digest: str  # of the model
    epochs: Mapping[str, int]  # by phase, epochs of training up to the best weights
    calibration: Mapping[str, Any]  # content of calibration.json


def open_reference_run(workspace: Path, config: Mapping[str, Any]) -> ReferenceRun:
    """Read the choices of the `model` in a workspace.

    Args:
        config: configuration in the recipe of the model to be trained.

    Raises:
        InputMissingError: the workspace has no model.
        ArtifactError: the model is damaged or lacks its numbers of epochs.
        ConfigError: the model held no data out, or its configuration differs; the message names the keys.
    """
    model = open_artifact(workspace / "model", "model")
    key = f"preprocess.split.verified: the model of {workspace}"
    if REFERENCE_INPUT in model.manifest["inputs"]:
        raise ConfigError(f"{key} held no data out; name the workspace of a run with a valid split")
    reference = model.manifest["config"]
    pairs = [(config.get(part), reference.get(part), part) for part in _MODEL_KEYS]
    differences = ", ".join(name for pair in pairs for name in _different_keys(*pair))
    if differences:
        raise ConfigError(f"{key} has other values of {differences}; use its settings, or name a run with yours")
    epochs = files.read_json(model.path / artifact_files.OUTCOME).get("epochs")
    if epochs is None:
        raise ArtifactError(
            f"{model.path / artifact_files.OUTCOME}: lacks the epochs; run `interestrec finetune --force` there"
        )
    return ReferenceRun(model.digest, epochs, files.read_json(model.path / artifact_files.CALIBRATION))


def reference_decision(workspace: Path, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return digest and systems.json of the `rankings` in a workspace: fitted settings of scorers and blend weights.

    Args:
        config: configuration in the recipe of the lists to be written.

    Raises:
        InputMissingError: the workspace has no rankings.
        ConfigError: the rankings lack the system interestrec, have other components, estimators or blend settings, or
            have no estimators.
    """
    rankings = open_artifact(workspace / "rankings", "rankings")
    key = f"preprocess.split.verified: the rankings of {workspace}"
    reference = rankings.manifest["config"]["rank"]
    if OURS not in reference["systems"]:
        raise ConfigError(f"{key} lack the system {OURS}; name the workspace of a run that ranked with it")
    settings = config["rank"]
    pairs = [(settings[part], reference[part], f"rank.{part}") for part in _RANK_KEYS]
    differences = ", ".join(name for pair in pairs for name in _different_keys(*pair))
    if differences:
        raise ConfigError(f"{key} have other values of {differences}; use these settings, or name a run with yours")
    if not reference["estimators"]:
        raise ConfigError(f"{key} have no estimators of intensity; set rank.estimators in both runs")
    return rankings.digest, files.read_json(rankings.path / artifact_files.SYSTEMS)


def _different_keys(value: Any, reference: Any, key: str) -> Iterator[str]:
    """Yield the dotted keys below `key` at which two JSON values differ."""
    if isinstance(value, dict) and isinstance(reference, dict):
        for name in dict.fromkeys([*value, *reference]):
            yield from _different_keys(value.get(name), reference.get(name), f"{key}.{name}")
    elif value != reference:
        yield key
