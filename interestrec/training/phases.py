"""What the training loop runs: phases of epochs, and the rates and losses that all of them share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from interestrec.training.batches import Batch


class Epoch(NamedTuple):
    """One pass over the examples of a phase, or the rest of one."""

    begins: np.ndarray  # int64 [steps + 1], how many examples are done before each step of the whole epoch
    batches: Iterator[Batch]


@dataclass(frozen=True)
class Phase:
    """Some epochs over one kind of examples."""

    name: str
    epochs: int
    epoch: Callable[[int, int], Epoch]  # number and steps of it that are done -> the rest of it
    graded: bool  # whether its labels differ, so that there is an intensity to learn
    corrected: bool = False  # whether log_rate is taken off
    file: str = "impressions.parquet"  # of the corpus, where the batches' rows are
    # called before `epoch` on the model as it is when the epoch begins, also where a run resumes within the epoch
    begin: Callable[[], None] | None = None


@dataclass(frozen=True)
class Rates:
    """How fast and towards what: names and meanings are those of the `finetune` settings."""

    towers: float  # peak learning rate; the encoder's are in its groups
    weight_decay: float
    losses: Mapping[str, float]  # weight of each by its name in LOSSES
    smoothing: float = 0.0
    clip: float = 1.0
    decay: str = "linear"
    warm_up: float = 0.1
