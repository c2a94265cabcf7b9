"""Batches of steps of histories that the model of `sequence` is trained on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interestrec.scorers.sequence_steps import HistorySteps
from interestrec.training.length_batches import length_batches
from interestrec.training.step_training import StepBatch


@dataclass(frozen=True)
class StepBatches:
    """Batches of windows of histories with negatives; each is a function of the seed and its number."""

    steps: HistorySteps
    begin: np.ndarray  # int64 [windows], steps
    end: np.ndarray  # int64 [windows], exclusive
    items: int  # of the model, from which negatives are drawn
    step_items: int
    negatives: int  # per window
    size: int  # windows per batch
    seed: int

    @property
    def per_epoch(self) -> int:
        """Batches of one pass over the windows."""
        return -(-len(self.begin) // self.size)

    def after(self, done: int) -> Iterator[StepBatch]:
        """Yield the batches after the first `done`, without end."""
        epoch, steps = -1, self.steps
        for number, rows in enumerate(length_batches(self.end - self.begin, self.size, self.seed, done), done):
            if number // self.per_epoch != epoch:
                epoch = number // self.per_epoch
                steps = self.steps.shuffled(np.random.default_rng([self.seed, 2, epoch]))
            begin, end = self.begin[rows], self.end[rows]
            rng = np.random.default_rng([self.seed, 3, number])
            negatives = rng.integers(0, self.items, (len(rows), self.negatives), np.int32)
            yield StepBatch((*steps.inputs(begin, end), steps.targets(begin, end, self.step_items), negatives), rows)
