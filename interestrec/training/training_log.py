"""The training log and the progress of a training run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

# Checkpoints of older versions are read too; they store a few counters under shorter names.
_STORED_NAMES = {
    "epoch_in_phase": "within",
    "step_in_epoch": "done",
    "step_in_phase": "taken",
    "epochs_without_gain": "waited",
}


class TrainingPaused(Exception):
    """Raised where a training is to go on later; carries the validation score by epoch, 0 = before training."""

    def __init__(self, curve: Mapping[int, float]) -> None:
        super().__init__(curve)
        self.curve = curve


@dataclass
class TrainingHistory:
    """All figures of a run, as the columns of the training log."""

    step: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "TrainingHistory":
        """Read the output of `document`."""
        return cls(**{**document, "value": [float(value) for value in document["value"]]})

    def document(self) -> dict[str, Any]:
        """Return JSON values for a checkpoint; the norm of a gradient that overflowed is a text, such as `inf`."""
        return {**asdict(self), "value": [value if isfinite(value) else str(value) for value in self.value]}

    def add(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append one row per value."""
        for name, value in values.items():
            self.step.append(step)
            self.epoch.append(epoch)
            self.name.append(name)
            self.value.append(value)

    def at_epoch(self, epoch: int) -> dict[str, float]:
        """Return the validation figures after an epoch; 0 = before training."""
        rows = zip(self.epoch, self.name, self.value, strict=True)
        return {name: value for number, name, value in rows if number == epoch and name.startswith("valid_")}

    def curve(self, name: str) -> dict[int, float]:
        """Return a validation figure by epoch; 0 = before training."""
        rows = zip(self.epoch, self.name, self.value, strict=True)
        return {epoch: value for epoch, figure, value in rows if figure == name}

    def by_step(self) -> dict[int, dict[str, float]]:
        """Return the figures of each step by name, in the order of steps."""
        steps: dict[int, dict[str, float]] = {}
        for step, name, value in zip(self.step, self.name, self.value, strict=True):
            steps.setdefault(step, {})[name] = value
        return steps

    def last(self, name: str) -> float:
        """Return the latest value of a figure."""
        return next(value for other, value in zip(self.name[::-1], self.value[::-1], strict=True) if other == name)


@dataclass
class TrainingProgress:
    """The progress of a run: all of its state besides weights, optimizers and stored vectors."""

    phase: int = 0  # number of the current phase
    epoch_in_phase: int = 0  # completed epochs of the phase
    step_in_epoch: int = 0  # completed steps of the epoch
    step_in_phase: int = 0  # completed steps of the phase
    step: int = 0  # completed steps of the run
    epoch: int = 0  # completed epochs of the run
    epochs_without_gain: int = 0
    texts: int = 0  # distinct texts in the steps of the epoch
    encoded: int = 0  # texts among them that were encoded with a gradient
    best: float | None = None  # validation score; None without validation
    decides: str | None = None  # name of the figure that the score is
    best_epoch: int = 0
    epochs: dict[str, int] = field(default_factory=dict)  # phase -> epochs behind the best weights

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "TrainingProgress":
        """Read the output of `document`."""
        names = {stored: name for name, stored in _STORED_NAMES.items()}
        return cls(**{names.get(stored, stored): value for stored, value in document.items()})

    def document(self) -> dict[str, Any]:
        """Return JSON values for a checkpoint."""
        return {_STORED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    def end_step(self) -> None:
        """Count a step."""
        self.step += 1
        self.step_in_phase += 1
        self.step_in_epoch += 1

    def end_epoch(self) -> None:
        """Count an epoch; the next one begins at its first step."""
        self.epoch += 1
        self.epoch_in_phase += 1
        self.step_in_epoch = self.texts = self.encoded = 0

    def end_phase(self) -> None:
        """Count a phase; the next one begins at its first epoch."""
        self.phase += 1
        self.epoch_in_phase = self.step_in_phase = self.epochs_without_gain = 0
