"""What a training run notes down: everything measured, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class TrainingHistory:
    """Everything measured while training: columns of the training log."""

    step: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def add(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Append one row a value."""
        for name, value in values.items():
            self.step.append(step)
            self.epoch.append(epoch)
            self.name.append(name)
            self.value.append(value)

    def last(self, name: str) -> float:
        """The latest value of a name."""
        return next(value for found, value in zip(self.name[::-1], self.value[::-1], strict=True) if found == name)


@dataclass
class TrainingProgress:
    """Where a run stands: everything but weights, optimizers and remembered vectors that the rest of it depends on."""

    phase: int = 0  # its number
    within: int = 0  # epochs of the phase that are done
    done: int = 0  # steps of the epoch that are done
    taken: int = 0  # steps of the phase that are done
    step: int = 0  # of the whole run
    epoch: int = 0  # of the whole run, done
    waited: int = 0  # epochs without a gain
    texts: int = 0  # distinct texts in the steps of the epoch
    encoded: int = 0  # of these, encoded with a gradient
    best: float | None = None  # of the validation; None where there is none
    best_epoch: int = 0
    epochs: dict[str, int] = field(
        default_factory=dict
    )  # by phase, how many of its epochs the best weights went through
