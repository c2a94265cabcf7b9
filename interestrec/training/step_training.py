"""Training for a fixed number of steps, with checkpoints; `loop` adds phases, epochs and early stopping."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from interestrec.core import interrupts
from interestrec.core.errors import NumericError
from interestrec.core.progress import track
from interestrec.training.distribution import raise_peer_loss
from interestrec.training.engine import Arrays, Engine
from interestrec.training.schedule import DECAYS, rate_share
from interestrec.training.training_checkpoint import CheckpointStore, assign, values


class RateSchedule(NamedTuple):
    """The number of steps and the share of the peak learning rate over them."""

    steps: int
    decay: str  # a key of DECAYS
    warm_up: float  # share of the steps


class StepBatch(NamedTuple):
    """A global batch."""

    arrays: Arrays  # of the objective's signature; equal numbers of rows, unless the engine has one slice
    rows: np.ndarray  # what an error calls the batch


class StepTraining:
    """Steps of an engine, from its current weights or from the last checkpoint.

    Attributes:
        figures: of all steps so far, by name; None for a gradient norm that was not finite.
        notes: JSON values of the caller, which checkpoints keep.
    """

    def __init__(
        self,
        engine: Engine,
        schedule: RateSchedule,
        checkpoints: CheckpointStore | None,
        watch: Callable[[int, Mapping[str, float]], None] | None = None,
    ) -> None:
        """Assign the weights and the optimizer's state of the last checkpoint, if there is one.

        Args:
            checkpoints: None: no checkpoint is read or saved.
            watch: see `ExecutionSettings`.

        Raises:
            PeerLostError: another worker is lost.
        """
        self.engine, self.schedule, self.checkpoints, self.watch = engine, schedule, checkpoints, watch
        self.figures: dict[str, list[float | None]] = {}
        self.notes: dict[str, Any] = {}
        self._state = {"weights": engine.optimizer.variables, "optimizer": engine.optimizer.state}
        with raise_peer_loss():
            checkpoint = None if checkpoints is None else checkpoints.latest(engine.strategy)
        if checkpoint is not None:
            self.notes = dict(checkpoint.progress)
            self.figures = self.notes.pop("figures")
            self._repeat(watch)
            for name, variables in self._state.items():
                assign(variables, checkpoint.groups[name])

    def _repeat(self, watch: Callable[[int, Mapping[str, float]], None] | None) -> None:
        """Call `watch` with the figures of the completed steps."""
        if watch is None:
            return
        for step in range(self.done):
            row = {name: values[step] for name, values in self.figures.items()}
            watch(step + 1, {name: value for name, value in row.items() if value is not None})

    @property
    def done(self) -> int:
        """Number of completed steps."""
        return len(self.figures.get("loss", []))

    def run(
        self,
        batches: Callable[[int], Iterator[StepBatch]],
        description: str,
        not_finite: Callable[[int, np.ndarray], NumericError],
    ) -> list[float]:
        """Perform the remaining steps and return the losses of all steps.

        A run that resumes ends with the same bits as an uninterrupted one if `batches` are functions of their number.

        Args:
            batches: returns the batches after a number of completed steps.
            description: of the progress.
            not_finite: returns the error of a step, from 1, and the rows of its batch.

        Raises:
            NumericError: that of `not_finite`: the loss or its gradient is not finite.
            PeerLostError: another worker is lost.
            Interrupted: a signal ended the run; a checkpoint is saved.
        """
        steps, remaining = self.schedule.steps, batches(self.done)
        with raise_peer_loss(), interrupts.deferred():
            for step in track(range(self.done + 1, steps + 1), description, unit="steps"):
                batch = next(remaining)
                figures = self._step(batch.arrays, step)
                if not self.engine.is_finite(figures):
                    raise not_finite(step, batch.rows)
                for name, value in figures.items():
                    self.figures.setdefault(name, []).append(value if isfinite(value) else None)
                if self.watch:
                    self.watch(step, figures)
                if self.checkpoints is not None and self.checkpoints.is_due():
                    groups = {name: values(variables) for name, variables in self._state.items()}
                    self.checkpoints.save(step, groups, {**self.notes, "figures": self.figures})
                interrupts.check()
        return [loss for loss in self.figures.get("loss", []) if loss is not None]  # all are finite

    def _step(self, arrays: Arrays, step: int) -> dict[str, float]:
        engine, (steps, decay, warm_up) = self.engine, self.schedule
        slices = [tuple(np.array_split(array, engine.slices)[n] for array in arrays) for n in engine.local_slices]
        figures, _ = engine.step(slices, step, step, rate_share(DECAYS[decay], warm_up, (step - 0.5) / steps))
        return figures
