"""The weights at the start of an epoch, for a phase whose batches depend on them, as hard negatives do."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from interestrec.training.item_vectors import TextVectorSource
from interestrec.training.training_checkpoint import assign, values


class EpochStart:
    """Runs a function on the model as it is when an epoch begins, and again when a run resumes within that epoch.

    Attributes:
        weights: at the start of the latest epoch, for a checkpoint; none before the first one.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], texts: TextVectorSource, weights: Sequence[np.ndarray] = ()
    ) -> None:
        """`weights` are those of a checkpoint."""
        self.weights = list(weights)
        self._variables = variables
        self._texts = texts

    def run(self, function: Callable[[], None]) -> None:
        """The epoch begins now."""
        self.weights = values(self._variables)
        function()

    def replay(self, function: Callable[[], None]) -> None:
        """The epoch began earlier: its first weights stand in while the function runs, and nothing else changes."""
        weights, state = values(self._variables), [np.array(array) for array in self._texts.state()]
        assign(self._variables, self.weights)
        function()
        assign(self._variables, weights)
        self._texts.restore(state)
