"""What a run that holds nothing out takes from one that did, and whose quality was looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interestrec.core.errors import ArtifactError, ConfigError
from interestrec.io import artifact_files, files
from interestrec.io.schemas import OURS
from interestrec.workspace.artifacts import open_artifact

INPUT = "open_reference_run"  # of the recipe of a model that leans on another
_DECIDED = ("components", "estimators", "blend")  # of the rank settings
_SAME = ("finetune", "items", "encoders", "relevant_at")  # of a model's configuration, what its choices hold for


@dataclass(frozen=True)
class ReferenceRun:
    """What was chosen on the valid split of the verified run."""

    digest: str  # of its model
    epochs: Mapping[str, int]  # by phase, how many of its epochs the best weights went through
    calibration: Mapping[str, Any]  # the content of its calibration.json


def open_reference_run(workspace: Path, config: Mapping[str, Any]) -> ReferenceRun:
    """The choices of the `model` in a workspace.

    Args:
        config: of the recipe of the model that is to be trained.

    Raises:
        InputMissingError: there is no model.
        ArtifactError: it is damaged, or does not tell how long it was trained.
        ConfigError: it held nothing out itself, or was configured otherwise; the message names the keys.
    """
    model = open_artifact(workspace / "model", "model")
    key = f"preprocess.split.verified: the model of {workspace}"
    if INPUT in model.manifest["inputs"]:
        raise ConfigError(f"{key} held nothing out itself; name the workspace of a run with a valid split")
    theirs = model.manifest["config"]
    differ = [name for part in _SAME for name in _differing(config.get(part), theirs.get(part), part)]
    if differ:
        raise ConfigError(f"{key} was configured otherwise in {', '.join(differ)}; use its settings, or verify these")
    epochs = files.read_json(model.path / artifact_files.OUTCOME).get("epochs")
    if epochs is None:
        raise ArtifactError(
            f"{model.path / artifact_files.OUTCOME}: does not tell the epochs; run `interestrec finetune --force` there"
        )
    return ReferenceRun(model.digest, epochs, files.read_json(model.path / artifact_files.CALIBRATION))


def reference_decision(workspace: Path, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Digest and systems.json of the `rankings` in a workspace: the settings of scorers and the weights chosen there.

    Args:
        config: of the recipe of the lists that are to be made.

    Raises:
        InputMissingError: there are no rankings.
        ConfigError: ours was not among the systems there, was made of other components or estimators or blended
            otherwise, or had no estimators.
    """
    rankings = open_artifact(workspace / "rankings", "rankings")
    key = f"preprocess.split.verified: the rankings of {workspace}"
    theirs = rankings.manifest["config"]["rank"]
    if OURS not in theirs["systems"]:
        raise ConfigError(f"{key} are without {OURS}; name the workspace of a run that ranked with it")
    differ = [name for part in _DECIDED for name in _differing(config["rank"][part], theirs[part], f"rank.{part}")]
    if differ:
        raise ConfigError(f"{key} were configured otherwise in {', '.join(differ)}; use its settings, or verify these")
    if not theirs["estimators"]:
        raise ConfigError(f"{key} predict no intensity that could be taken over; set rank.estimators in both runs")
    return rankings.digest, files.read_json(rankings.path / artifact_files.SYSTEMS)


def _differing(ours: Any, theirs: Any, key: str) -> Iterator[str]:
    """Dotted keys, from `key` on, at which two JSON values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys([*ours, *theirs]):
            yield from _differing(ours.get(name), theirs.get(name), f"{key}.{name}")
    elif ours != theirs:
        yield key
