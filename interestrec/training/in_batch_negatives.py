"""The source `in_batch`: the positives of the other examples of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.training.negative_source import NegativeInputs, NegativeSource, SharedNegatives

if TYPE_CHECKING:
    from interestrec.training.examples import Examples


@dataclass(frozen=True)
class InBatchNegatives:
    """The negatives of every example are the positives of all examples of the batch.

    The batch encodes these items anyway. A batch of n positives has an item of share p at the rate 1 − (1 − p)^n, whose
    log is subtracted from the logits (Yi et al. 2019), so that the softmax over the batch estimates the one over the
    catalogue and popularity stays in the score.
    """

    share: np.ndarray  # float64 [items], of the positives
    most: int  # negatives per batch
    begin_epoch = None

    def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
        """Return the positives of the batch; an example's own positives are accidental hits."""
        positives = examples.item[examples.label > 0]
        items = np.unique(positives)
        if len(items) > self.most:
            items = np.sort(rng.choice(items, self.most, replace=False))
        log_missing = len(positives) * np.log1p(-np.clip(self.share[items], 1e-12, 1 - 1e-12))
        return SharedNegatives(items.astype(np.int32), np.log(-np.expm1(log_missing)).astype(np.float32))


def in_batch_negatives(inputs: NegativeInputs, settings: Section) -> InBatchNegatives:
    """Create a source whose rates are those of the positives of the train events."""
    return InBatchNegatives(inputs.popularity, inputs.most)


IN_BATCH = NegativeSource(in_batch_negatives, "takes the positives of the rest of the batch")
