"""Checkpoints of a run in progress, staged and atomically renamed."""

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
_MAX_CHECKPOINTS = 2  # in case the newest is damaged


@dataclass(frozen=True)
class TrainingCheckpoint:
    """Named groups of arrays in the order of their variables, and the run's progress."""

    groups: Mapping[str, list[np.ndarray]]
    progress: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run, each a directory `step-<n>`.

    Args:
        directory: it belongs to one recipe, so that only runs with equal settings, inputs and seed resume.
        seconds: minimum time between checkpoints within an epoch.
        writes: whether this process saves checkpoints; all processes of a run read them.
    """

    def __init__(self, directory: Path, seconds: float, writes: bool = True) -> None:
        self.directory = directory
        self.seconds = seconds
        self.writes = writes
        self._saved = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last checkpoint is old enough or a signal asks the run to end."""
        return self.writes and (interrupts.requested() or time.monotonic() - self._saved >= self.seconds)

    def save(self, step: int, groups: Mapping[str, Sequence[np.ndarray]], progress: dict[str, Any]) -> None:
        """Stage a checkpoint, flush it, rename it atomically, and delete all but the newest two."""
        if not self.writes:
            return
        final, partial = self.directory / f"{_NAME}{step:012d}", self.directory / _PARTIAL
        tensors = {f"{name}/{n:05d}": np.asarray(v) for name, values in groups.items() for n, v in enumerate(values)}
        try:
            shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed while saving
            partial.mkdir(parents=True)
            files.write_safetensors(partial / _TENSORS, tensors)
            files.write_json(partial / _PROGRESS, _seal(progress, files.sha256_of(partial / _TENSORS)))
            commit.install(partial, final)  # it may exist if an epoch's last step was saved
            for old in self._paths()[_MAX_CHECKPOINTS:]:
                shutil.rmtree(old)
        except OSError as error:
            raise from_os_error(error, final) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._saved = time.monotonic()

    def latest(self, strategy: tf.distribute.Strategy | None = None) -> TrainingCheckpoint | None:
        """Read the newest checkpoint that is not damaged; warn of damaged ones.

        Raises:
            ConfigError: the strategy's workers read different checkpoints.
        """
        checkpoint, step = None, -1
        for path in self._paths():
            try:
                checkpoint, step = _read(path), int(path.name.removeprefix(_NAME))
                break
            except (ArtifactError, InputMissingError, KeyError, TypeError) as error:
                log.warning("%s: damaged checkpoint (%s); going back to the one before", path, error)
        if strategy is not None and not same_on_all_workers(strategy, step):
            raise ConfigError(f"{self.directory}: workers see different checkpoints; use one workspace for all workers")
        return checkpoint

    def _paths(self) -> list[Path]:
        """Paths of checkpoints, newest first."""
        return sorted(self.directory.glob(f"{_NAME}*"), reverse=True)


def _seal(progress: dict[str, Any], tensors: str) -> dict[str, Any]:
    """Return the JSON document beside the tensors; its seal covers both."""
    content = {"progress": progress, "tensors": tensors}
    return {**content, "seal": files.sha256_of_json(content)}


def _read(path: Path) -> TrainingCheckpoint:
    content = files.read_json(path / _PROGRESS)
    if content != _seal(content["progress"], files.sha256_of(path / _TENSORS)):
        raise ArtifactError(f"{path}: has changed since it was written")
    groups: dict[str, list[np.ndarray]] = {}
    for name, value in sorted(files.read_safetensors(path / _TENSORS).items()):
        groups.setdefault(name.rpartition("/")[0], []).append(value)
    return TrainingCheckpoint(groups, content["progress"])


def values(variables: Sequence[tf.Variable]) -> list[np.ndarray]:
    """Return the values of variables."""
    return [np.asarray(variable.numpy()) for variable in variables]


def assign(variables: Sequence[tf.Variable], arrays: Sequence[np.ndarray]) -> None:
    """Set variables to the output of `values`."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
