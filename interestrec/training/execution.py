"""The devices and batching of a training run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interestrec.model.backend import tf


@dataclass(frozen=True)
class ExecutionSettings:
    """How a training run is executed.

    `watch` is called with step and figures. A run that resumes calls it again with those up to its checkpoint.
    """

    strategy: tf.distribute.Strategy
    accumulate: int = 1  # slices per batch and replica, processed one after another
    loss_scaling: bool = False  # loss scaling, for float16
    watch: Callable[[int, Mapping[str, float]], None] | None = None
    pause_after: int | None = None  # epochs after which a training that has more pauses; None = it does not pause
