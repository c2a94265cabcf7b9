"""On what tests train: the one device there is."""

import tensorflow as tf

from interestrec.training.execution import Execution


def execution(accumulate: int = 1, scaled: bool = False) -> Execution:
    """The strategy of a process without distribution."""
    return Execution(tf.distribute.get_strategy(), accumulate, scaled)
