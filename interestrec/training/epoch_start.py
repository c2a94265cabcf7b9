"""The weights at the start of an epoch, for phases whose batches depend on them, such as those with hard negatives."""

from collections.abc import Callable, Sequence

import numpy as np

from interestrec.model.backend import tf
from interestrec.training.item_vectors import TextVectorSource
from interestrec.training.training_checkpoint import assign, values


class EpochStart:
    """Runs a function on the model at the start of an epoch, and again if a run resumes within the epoch.

    Attributes:
        weights: at the start of the latest epoch, for checkpoints; empty before the first.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], texts: TextVectorSource, weights: Sequence[np.ndarray] = ()
    ) -> None:
        """`weights` are those of a checkpoint, if the run resumes."""
        self.weights = list(weights)
        self._variables = variables
        self._texts = texts

    def run(self, function: Callable[[], None]) -> None:
        """Store the weights of a new epoch and run the function."""
        self.weights = values(self._variables)
        function()

    def replay(self, function: Callable[[], None]) -> None:
        """Run the function with the epoch's initial weights, then restore the current weights and state."""
        weights, state = values(self._variables), [np.array(array) for array in self._texts.state()]
        assign(self._variables, self.weights)
        function()
        assign(self._variables, weights)
        self._texts.restore(state)
