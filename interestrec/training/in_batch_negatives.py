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
    """The negatives of every example are the positives of all examples of the batch, including repeats.

    The batch encodes these items anyway. An item is a negative as often as it is a positive; the log of that rate is
    subtracted from all logits (Yi et al. 2019), so that the softmax over the batch estimates the one over the
    catalogue and popularity stays in the score.
    """

    log_share: np.ndarray  # float32 [items], log of the share of the positives; 0 if an item is never one
    begin_epoch = None

    @classmethod
    def from_examples(cls, examples: Examples, items: int) -> InBatchNegatives:
        """Count the positives among `items` items in all examples of the phase."""
        counts = np.bincount(examples.item[examples.label > 0], minlength=items)
        share = np.where(counts > 0, counts / max(counts.sum(), 1), 1.0)
        return cls(np.log(share).astype(np.float32))

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """Return int32 [examples, positives of the batch]; an example's own positives are accidental hits."""
        positives = examples.item[examples.label > 0]
        return np.broadcast_to(positives, (len(examples), len(positives)))

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Return the log of each item's share of the positives."""
        return self.log_share[items]


def in_batch_negatives(inputs: NegativeInputs, settings: Section) -> InBatchNegatives:
    """Create the source with the rates of the phase's examples."""
    return InBatchNegatives.from_examples(inputs.examples, len(inputs.popularity))


IN_BATCH = NegativeSource(in_batch_negatives, "takes other positives of the batch", subtract_log_rate=True)
