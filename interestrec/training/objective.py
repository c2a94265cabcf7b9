"""The objective of finetune: losses over candidate lists that the two-tower model scores."""

from collections.abc import Sequence

import numpy as np

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import count, total
from interestrec.model.losses import LOSSES
from interestrec.model.noise import branch
from interestrec.model.task_totals import task_counts, task_totals
from interestrec.model.two_tower import TwoTower
from interestrec.model.two_tower_config import ItemCodes
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
_TASK_KINDS = (("float32", 3), ("bool", 2))  # labels of tasks and sampled negatives


class CandidateLists:
    """An Objective of losses, by name, over batches of candidate lists.

    Losses of single candidates are those of the logit of strength, losses of lists those of the logit of order. The
    losses of tasks are those of their scores.
    """

    def __init__(
        self,
        model: TwoTower,
        texts: TextVectorSource,
        losses: tuple[str, ...],
        smoothing: float,
        learned: Sequence[bool] = (),
    ) -> None:
        """`learned` tells, for each task of the model, whether the weight of its loss is learned."""
        self.model = model
        self.texts = texts
        self.losses = losses
        self.smoothing = smoothing
        self.learned = learned
        self.kinds = (*_KINDS, *(_TASK_KINDS if model.task_heads else ()))
        self.batch = tuple(tf.TensorSpec([None] * rank, kind) for kind, rank in self.kinds)
        self.signature = (*texts.signature, *self.batch)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        lists, of_tasks = self._divided(inputs)
        labels, present, known, _ = lists[-_LABELS:]
        found = {name: count(LOSSES[name], labels, present, known) for name in self.losses}
        return found | (task_counts(self.model.config.tasks, of_tasks[0]) if of_tasks else {})

    def _divided(self, inputs: tuple[tf.Tensor, ...]) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        """Return the inputs of every model, and those of tasks."""
        end = len(inputs) - (len(_TASK_KINDS) if self.model.task_heads else 0)
        return inputs[:end], inputs[end:]

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective; the extra tensor holds the vectors of the encoded texts."""
        inputs, of_tasks = self._divided(inputs)
        texts, (*towers, position, labels, present, known, log_rate) = inputs[: -len(_KINDS)], inputs[-len(_KINDS) :]
        vectors, encoded = self.texts.vectors(*texts, noise=branch(noise, 0))
        order, strength, *scores = self.model(vectors, *towers, noise=branch(noise, 1))
        shared = tf.shape(labels)[1] - tf.shape(position)[1]
        order += tf.pad(self.model.position_bias(position), [[0, 0], [0, shared]])
        lists = (labels, present, known, log_rate)
        totals = {
            name: total(LOSSES[name], strength if LOSSES[name].pointwise else order, *lists, self.smoothing)
            for name in self.losses
        }
        if self.model.task_heads is not None:
            targets, drawn = of_tasks
            totals |= task_totals(self.model.task_heads, scores[0], targets, drawn, log_rate, self.learned)
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
        *(() if batch.targets is None else (batch.targets, batch.drawn)),
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
