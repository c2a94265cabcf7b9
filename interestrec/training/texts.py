"""Where a step's text vectors come from: a table of frozen vectors, or the encoder's learning top layers."""

from typing import Protocol

import numpy as np
import tensorflow as tf

from interestrec.encoding.encode import HiddenStates, encode_upper
from interestrec.model.bert import Bert, mean_pool


class Texts(Protocol):
    """Text vectors of items, with the weights behind them that learn."""

    @property
    def variables(self) -> list[tf.Variable]:
        """Weights that the training loop updates."""

    @property
    def seeds(self) -> list[tf.Variable]:
        """State of the random generators behind `vectors`."""

    @property
    def signature(self) -> tuple[tf.TensorSpec, ...]:
        """Shapes and types of what `inputs` gives."""

    def inputs(self, items: np.ndarray) -> tuple[np.ndarray, ...]:
        """Arrays that `vectors` needs for the given items, int32 [items]."""

    def vectors(self, *inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """float32 [items, width]; differentiable where there are variables."""

    def all_vectors(self) -> np.ndarray:
        """Vectors of all items with the weights as they are now: float32 [all items, width]."""


class FrozenTexts:
    """No layer of the encoder learns: vectors are looked up."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        self.variables: list[tf.Variable] = []
        self.seeds: list[tf.Variable] = []
        self.signature = (tf.TensorSpec([None, table.shape[1]], tf.float32),)

    def inputs(self, items: np.ndarray) -> tuple[np.ndarray, ...]:
        """See Texts."""
        return (self.table[items],)

    def vectors(self, *inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """See Texts."""
        return inputs[0]

    def all_vectors(self) -> np.ndarray:
        """See Texts."""
        return self.table


class LearningTexts:
    """The layers above `layers` learn; the output of those below was computed once for every distinct text."""

    def __init__(self, bert: Bert, layers: int, hidden: HiddenStates, text_of_item: np.ndarray) -> None:
        self.bert = bert
        self.layers = layers
        self.hidden = hidden
        self.text_of_item = text_of_item
        self.variables = [v for block in bert.blocks[layers:] for v in block.trainable_variables]
        self.seeds = [v for block in bert.blocks[layers:] for v in block.non_trainable_variables]
        width = bert.config.hidden_size
        self.signature = (tf.TensorSpec([None, None, width], tf.float32), tf.TensorSpec([None, None], tf.float32))

    def inputs(self, items: np.ndarray) -> tuple[np.ndarray, ...]:
        """See Texts."""
        rows = self.text_of_item[items]
        return self.hidden.padded(rows, int(np.diff(self.hidden.offsets)[rows].max()))

    def vectors(self, *inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """See Texts."""
        states, mask = inputs
        return mean_pool(self.bert.upper(states, mask, self.layers, training=training), mask)

    def all_vectors(self) -> np.ndarray:
        """See Texts."""
        return encode_upper(self.bert, self.hidden, self.layers)[self.text_of_item]
