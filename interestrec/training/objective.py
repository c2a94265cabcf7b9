"""The objective of finetune: losses over candidate lists that the two-tower model scores."""

import numpy as np

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.model.noise import branch
from interestrec.model.two_tower import ItemCodes, TwoTower
from interestrec.training.batches import Batch
from interestrec.training.item_vectors import PreparedTexts, TextVectorSource

# Packed features, categories and prices of items, packed features of users; then a Batch without `distinct`, `user` and
# `row`, in the order of `arrays`.
_KINDS = (
    *(("int32", 2), ("int32", 2), ("float32", 1), ("int32", 2), ("float32", 2), ("float32", 2), ("int32", 2)),
    *(("int32", 2), ("int32", 1), ("float32", 3), ("float32", 2)),
    *(("int32", 2), ("float32", 2), ("bool", 2), ("bool", 2), ("float32", 2)),
)
_LABELS = 4  # labels, present, known, log_rate


class CandidateLists:
    """An Objective of losses, by name, over batches of candidate lists.

    Losses of single candidates are those of the logit of strength, losses of lists those of the logit of order.
    """

    def __init__(self, model: TwoTower, texts: TextVectorSource, losses: tuple[str, ...], smoothing: float) -> None:
        self.model = model
        self.texts = texts
        self.losses = losses
        self.smoothing = smoothing
        self.batch = tuple(tf.TensorSpec([None] * rank, kind) for kind, rank in _KINDS)
        self.signature = (*texts.signature, *self.batch)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        labels, present, known, _ = inputs[-_LABELS:]
        return {name: count(LOSSES[name], labels, present, known) for name in self.losses}

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective; the extra tensor holds the vectors of the encoded texts."""
        texts, (*towers, position, labels, present, known, log_rate) = inputs[: -len(_KINDS)], inputs[-len(_KINDS) :]
        vectors, encoded = self.texts.vectors(*texts, noise=branch(noise, 0))
        order, strength = self.model(vectors, *towers, noise=branch(noise, 1))
        shared = tf.shape(labels)[1] - tf.shape(position)[1]
        order += tf.pad(self.model.position_bias(position), [[0, 0], [0, shared]])
        lists = (labels, present, known, log_rate)
        totals = {
            name: total(LOSSES[name], strength if LOSSES[name].pointwise else order, *lists, self.smoothing)
            for name in self.losses
        }
        return totals, encoded


def arrays(
    batch: Batch, prepared: PreparedTexts, codes: ItemCodes, user_features: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return the arrays of CandidateLists' signature for a batch; `user_features` are those of all users, packed."""
    return (
        *prepared.arrays,
        *tower_arrays(batch, codes, user_features),
        batch.position,
        batch.labels,
        batch.present,
        batch.known,
        batch.log_rate,
    )


def tower_arrays(batch: Batch, codes: ItemCodes, user_features: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the arguments of TwoTower after the text vectors."""
    return (
        codes.attributes[batch.distinct],
        codes.categories[batch.distinct],
        codes.prices[batch.distinct],
        batch.history,
        batch.intensity,
        batch.days,
        user_features[batch.user],
        batch.candidates,
        batch.shared,
        batch.moments,
        batch.user_moments,
    )
