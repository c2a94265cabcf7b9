"""The source `in_batch`: the positives of the other examples of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.training.negative_source import NegativeInputs, NegativeSource

if TYPE_CHECKING:
    from interestrec.training.examples import Examples


@dataclass(frozen=True)
class InBatchNegatives:
    """Every example takes the positives of all examples of the batch, as often as they are there.

    They cost no item that the batch does not encode anyway. An item comes as often as it is a positive, and the log
    of that rate is taken off the logits (Yi et al. 2019), positives included: the softmax over the batch estimates
    the one over the catalogue, and popularity stays in the score.
    """

    log_share: np.ndarray  # float32 [items], log of the share of the positives; 0 where an item never is one
    begin = None

    @classmethod
    def of(cls, examples: Examples, items: int) -> InBatchNegatives:
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


def in_batch_negatives(inputs: NegativeInputs, settings: Section) -> InBatchNegatives:
    """With the rates of the phase's examples."""
    return InBatchNegatives.of(inputs.examples, len(inputs.popularity))


IN_BATCH = NegativeSource(in_batch_negatives, "takes other positives of the batch", corrected=True)
