"""Checkpoints for tests: a directory of their own, and a power cut after so many of them."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.training.training_checkpoint import CheckpointStore


def fresh() -> CheckpointStore:
    """Checkpoints at the ends of epochs only, in a new directory."""
    return CheckpointStore(Path(tempfile.mkdtemp()), float("inf"))


class PowerCut(BaseException):
    """Nothing catches it."""


class CutOff(CheckpointStore):
    """Saves after every step, and dies right after the checkpoint number `at`."""

    def __init__(self, directory: Path, at: int) -> None:
        super().__init__(directory, 0.0)
        self.left = at

    def save(self, step: int, groups: Mapping[str, Sequence[np.ndarray]], progress: dict[str, Any]) -> None:
        super().save(step, groups, progress)
        self.left -= 1
        if not self.left:
            raise PowerCut
