"""The model that training starts from: a given one or, with a warm start, the current one of the workspace."""

from pathlib import Path
from typing import NamedTuple

from interestrec.core.errors import ArtifactError
from interestrec.core.progress import log
from interestrec.io import artifact_files, files
from interestrec.workspace.artifacts import Artifact, Recipe, open_artifact

START_INPUT = "start"  # input of a model's recipe


class StartModel(NamedTuple):
    """The model that training starts from."""

    digest: str
    path: Path


def given_model(path: Path, encoder_sha256: str) -> StartModel:
    """Return the model of `--from` as a start.

    Args:
        path: of the model.
        encoder_sha256: of the encoder's weights.

    Raises:
        ArtifactError: it is no model, or was trained on another encoder, on whose frozen layers its own depend.
    """
    given = open_artifact(path, "model")
    if _encoder_of(given) != encoder_sha256:
        raise ArtifactError(
            f"--from {path}: the model was trained on another encoder than the workspace's; train without --from"
        )
    return StartModel(given.digest, given.path)


def current_model(workspace: Path, recipe: Recipe, encoder_sha256: str, force: bool) -> StartModel | None:
    """Return the current model of a workspace as a start; None to start anew, and the log says why.

    The current model may already be that of this recipe. What it started from is then kept, so that it is up to date.

    Args:
        recipe: of the model to be trained, without a start.
        encoder_sha256: of the encoder's weights.
        force: whether the model is trained again even if it is up to date.
    """
    if not (workspace / "model").exists():
        return None
    current = open_artifact(workspace / "model", "model")
    manifest = current.manifest
    reason = None
    if manifest["config"] != recipe.config or manifest["seed"] != recipe.seed:
        reason = "was trained with other settings"
    elif _encoder_of(current) != encoder_sha256:
        reason = "was trained on another encoder"
    if reason is not None:
        log.info("finetune: starts from nothing, because the current model %s", reason)
        return None
    made_of = dict(manifest["inputs"])
    began = made_of.pop(START_INPUT, None)
    if made_of != recipe.inputs or force:
        return StartModel(current.digest, current.path)
    return StartModel(began, current.path) if began else None


def _encoder_of(model: Artifact) -> str | None:
    """Return the digest of the encoder's weights that a model was trained on."""
    digest: str | None = files.read_json(model.path / artifact_files.OUTCOME).get("encoder_sha256")
    return digest
