"""Phases of training and their epochs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from interestrec.training.batches import Batch


class Epoch(NamedTuple):
    """One pass over the examples of a phase, or the rest of a pass."""

    offsets: np.ndarray  # int64 [steps + 1], examples before each step of the complete epoch
    batches: Iterator[Batch]


@dataclass(frozen=True)
class Phase:
    """Epochs over one kind of examples."""

    name: str
    epochs: int
    epoch: Callable[[int, int], Epoch]  # number and completed steps -> rest of the epoch
    graded: bool  # whether labels differ, so that there is an intensity to learn
    file: str = "impressions.parquet"  # of the corpus, to which the rows of batches refer
    # called before `epoch` with the weights at the start of the epoch, also if a run resumes within it
    begin_epoch: Callable[[], None] | None = None
