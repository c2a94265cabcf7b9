"""What the training loop runs: phases of epochs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from interestrec.training.batches import Batch


class Epoch(NamedTuple):
    """One pass over the examples of a phase, or the rest of one."""

    offsets: np.ndarray  # int64 [steps + 1], how many examples are done before each step of the whole epoch
    batches: Iterator[Batch]


@dataclass(frozen=True)
class Phase:
    """Some epochs over one kind of examples."""

    name: str
    epochs: int
    epoch: Callable[[int, int], Epoch]  # number and steps of it that are done -> the rest of it
    graded: bool  # whether its labels differ, so that there is an intensity to learn
    subtract_log_rate: bool = False  # whether log_rate is taken off
    file: str = "impressions.parquet"  # of the corpus, where the batches' rows are
    # called before `epoch` on the model as it is when the epoch begins, also where a run resumes within the epoch
    begin_epoch: Callable[[], None] | None = None
