"""The objective of finetune: losses over candidate lists that the two-tower model scores."""

import numpy as np

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.model.noise import branch
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Batch
from interestrec.training.item_vectors import PreparedTexts, TextVectorSource

# Codes of attributes and of categories, then a Batch without `distinct` and `row`.
_BATCH = tuple(
    tf.TensorSpec([None, None], kind)
    for kind in (tf.int32, tf.int32, tf.int32, tf.float32, tf.int32, tf.float32, tf.bool, tf.bool, tf.float32)
)


class CandidateLists:
    """An Objective of losses, by name, over batches of candidate lists."""

    def __init__(
        self,
        model: TwoTower,
        texts: TextVectorSource,
        losses: tuple[str, ...],
        subtract_log_rate: bool,
        smoothing: float,
    ) -> None:
        """`subtract_log_rate` is as in NegativeSource."""
        self.model = model
        self.texts = texts
        self.losses = losses
        self.subtract_log_rate = subtract_log_rate
        self.smoothing = smoothing
        self.signature = (*texts.signature, *_BATCH)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        labels, present, known, _ = inputs[-4:]
        return {name: count(LOSSES[name], labels, present, known) for name in self.losses}

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective; the extra tensor holds the vectors of the encoded texts."""
        texts, (*towers, labels, present, known, log_rate) = inputs[: -len(_BATCH)], inputs[-len(_BATCH) :]
        vectors, encoded = self.texts.vectors(*texts, noise=branch(noise, 0))
        logits = self.model(vectors, *towers, noise=branch(noise, 1))
        lists = (labels, present, known, log_rate if self.subtract_log_rate else None)
        return {name: total(LOSSES[name], logits, *lists, self.smoothing) for name in self.losses}, encoded


def arrays(batch: Batch, prepared: PreparedTexts, codes: ItemCodes) -> tuple[np.ndarray, ...]:
    """Return the arrays of CandidateLists' signature for a batch."""
    return (
        *prepared.arrays,
        codes.attributes[batch.distinct],
        codes.categories[batch.distinct],
        batch.history,
        batch.intensity,
        batch.candidates,
        batch.labels,
        batch.present,
        batch.known,
        batch.log_rate,
    )
