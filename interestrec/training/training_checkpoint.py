"""Checkpoints of a run in progress: whole or not there, the one before kept until the next is safe."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.core import interrupts
from interestrec.core.errors import ArtifactError, ConfigError, InputMissingError, from_os_error
from interestrec.core.progress import log
from interestrec.io import commit, files
from interestrec.model.backend import tf
from interestrec.training.distribution import same_on_all_workers

_TENSORS, _PROGRESS = "tensors.safetensors", "progress.json"
_NAME, _PARTIAL = "step-", ".partial"
_MAX_CHECKPOINTS = 2  # the newest, and the one before it


@dataclass(frozen=True)
class TrainingCheckpoint:
    """Named groups of arrays, in the order of the variables they belong to, and where the run stood."""

    groups: Mapping[str, list[np.ndarray]]
    progress: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run, each a directory `step-<n>`.

    Args:
        directory: where they lie; it belongs to one recipe, so that equal settings, inputs and seed resume and nothing
            else does.
        seconds: least time between two that are saved within an epoch.
        writes: whether this process is the one that saves; all of a run read.
    """

    def __init__(self, directory: Path, seconds: float, writes: bool = True) -> None:
        self.directory = directory
        self.seconds = seconds
        self.writes = writes
        self._saved = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last one is old enough, or a signal asks the run to end."""
        return self.writes and (interrupts.requested() or time.monotonic() - self._saved >= self.seconds)

    def save(self, step: int, groups: Mapping[str, Sequence[np.ndarray]], progress: dict[str, Any]) -> None:
        """Write a checkpoint beside the others, flush it, name it in one step; then drop all but the newest two."""
        if not self.writes:
            return
        final, partial = self.directory / f"{_NAME}{step:012d}", self.directory / _PARTIAL
        tensors = {f"{name}/{n:05d}": np.asarray(v) for name, values in groups.items() for n, v in enumerate(values)}
        try:
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed within a save
            partial.mkdir(parents=True)
            files.write_safetensors(partial / _TENSORS, tensors)
            files.write_json(partial / _PROGRESS, _seal(progress, files.sha256_of(partial / _TENSORS)))
            commit.install(partial, final)  # a final one is there at the end of an epoch whose last step was saved
            for old in self._paths()[_MAX_CHECKPOINTS:]:
                shutil.rmtree(old)
        except OSError as error:
            raise from_os_error(error, final) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._saved = time.monotonic()

    def latest(self, strategy: tf.distribute.Strategy | None = None) -> TrainingCheckpoint | None:
        """The newest one that is whole; a damaged one is passed over and said so.

        Raises:
            ConfigError: the strategy's workers do not see the same one.
        """
        found, step = None, -1
        for path in self._paths():
            try:
                found, step = _read(path), int(path.name.removeprefix(_NAME))
                break
            except (ArtifactError, InputMissingError, KeyError, TypeError) as error:
                log.warning("%s: damaged checkpoint (%s); going back to the one before", path, error)
        if strategy is not None and not same_on_all_workers(strategy, step):
            raise ConfigError(f"{self.directory}: workers see different checkpoints; give all of them one workspace")
        return found

    def _paths(self) -> list[Path]:
        """Newest first."""
        return sorted(self.directory.glob(f"{_NAME}*"), reverse=True)


def _seal(progress: dict[str, Any], tensors: str) -> dict[str, Any]:
    """The document beside the tensors: its seal covers both."""
    content = {"progress": progress, "tensors": tensors}
    return {**content, "seal": files.sha256_of_json(content)}


def _read(path: Path) -> TrainingCheckpoint:
    content = files.read_json(path / _PROGRESS)
    if content != _seal(content["progress"], files.sha256_of(path / _TENSORS)):
        raise ArtifactError(f"{path}: changed since it was written")
    groups: dict[str, list[np.ndarray]] = {}
    for name, value in sorted(files.read_safetensors(path / _TENSORS).items()):
        groups.setdefault(name.rpartition("/")[0], []).append(value)
    return TrainingCheckpoint(groups, content["progress"])


def values(variables: Sequence[tf.Variable]) -> list[np.ndarray]:
    """What variables hold."""
    return [np.asarray(variable.numpy()) for variable in variables]


def assign(variables: Sequence[tf.Variable], arrays: Sequence[np.ndarray]) -> None:
    """Set variables to what `values` gave."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
