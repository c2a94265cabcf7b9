"""What an event is told apart from: items drawn by popularity or uniformly, or the positives of the batch.

Those that are hard to tell apart are in training/hard_negatives.py.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from interestrec.training.examples import Examples


class Negatives(Protocol):
    """A source of negatives for the examples of a batch."""

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """int32 [examples, count], accidental hits among them."""
        ...

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """What a softmax over candidates takes off their logits, of the same shape as `items`: float32."""
        ...


@dataclass(frozen=True)
class NegativeSampler:
    """Draws negatives from the inverse of a cumulative distribution.

    Their rate is not corrected for: drawn as often as they are positives, they take popularity out of the score.
    """

    cumulative: np.ndarray  # float64 [items]
    count: int  # negatives an example

    @classmethod
    def of(cls, popularity: np.ndarray, count: int, exponent: float = 1.0) -> "NegativeSampler":
        """A sampler of `count` negatives in proportion to popularity^exponent, float64 [items].

        Items without popularity are never drawn: they would only ever be negatives.
        """
        return cls(np.cumsum(np.where(popularity > 0, popularity**exponent, 0.0)), count)

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """int32 [examples, count]."""
        uniform = rng.random((len(examples), self.count)) * self.cumulative[-1]
        drawn = np.searchsorted(self.cumulative, uniform, side="right")
        return np.minimum(drawn, len(self.cumulative) - 1).astype(np.int32)

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Zeros."""
        return np.zeros(items.shape, np.float32)


@dataclass(frozen=True)
class InBatchNegatives:
    """Every example takes the positives of all examples of the batch, as often as they are there.

    They cost no item that the batch does not encode anyway. An item comes as often as it is a positive, and the log
    of that rate is taken off the logits (Yi et al. 2019), positives included: the softmax over the batch estimates
    the one over the catalogue, and popularity stays in the score.
    """

    log_share: np.ndarray  # float32 [items], log of the share of the positives; 0 where an item never is one

    @classmethod
    def of(cls, examples: Examples, items: int) -> "InBatchNegatives":
        """The rates of `items` items as positives of all examples that batches are made of."""
        counts = np.bincount(examples.item[examples.label > 0], minlength=items)
        share = np.where(counts > 0, counts / max(counts.sum(), 1), 1.0)
        return cls(np.log(share).astype(np.float32))

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """int32 [examples, positives of the batch]; an example's own are hits."""
        positives = examples.item[examples.label > 0]
        return np.broadcast_to(positives, (len(examples), len(positives)))

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Log of each item's share of the positives."""
        return self.log_share[items]


@dataclass(frozen=True)
class NegativeChoice:
    """How training takes negatives; the names and meanings are those of `finetune.negatives`."""

    source: Literal["popularity", "uniform", "in_batch", "hard"]
    count: int
    exponent: float
    pool: int = 200

    def of_validation(self, popularity: np.ndarray) -> NegativeSampler:
        """By popularity whatever the source, so that runs that differ in it are measured alike."""
        return NegativeSampler.of(popularity, self.count)

    def of_training(self, popularity: np.ndarray, examples: Examples) -> Negatives:
        """For batches of the examples, of `hard` what it chooses from; popularity is float64 [items]."""
        if self.source == "in_batch":
            return InBatchNegatives.of(examples, len(popularity))
        return NegativeSampler.of(popularity, self.count, 0.0 if self.source == "uniform" else self.exponent)
