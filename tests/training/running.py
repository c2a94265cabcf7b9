"""On what tests train: the one device there is."""

import tensorflow as tf

from interestrec.training.execution import ExecutionSettings


def execution(accumulate: int = 1, scaled: bool = False, pause_after: int | None = None) -> ExecutionSettings:
    """The strategy of a process without distribution."""
    return ExecutionSettings(tf.distribute.get_strategy(), accumulate, scaled, pause_after=pause_after)
