"""On what a run of training is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interestrec.model.backend import tf


@dataclass(frozen=True)
class ExecutionSettings:
    """On what a run is computed, and how much at once."""

    strategy: tf.distribute.Strategy
    accumulate: int = 1  # slices of a batch on each replica, one after the other
    loss_scaling: bool = False  # loss scaling, for float16
    watch: Callable[[int, Mapping[str, float]], None] | None = None  # is shown the figures of each step
