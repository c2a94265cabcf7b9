"""Sums of the losses of tasks over a batch."""

from __future__ import annotations

from collections.abc import Sequence

from interestrec.model.backend import tf
from interestrec.model.task_heads import TaskHeads
from interestrec.model.tasks import TASKS
from interestrec.model.two_tower_config import ModelTask


def task_losses(tasks: Sequence[ModelTask]) -> list[str]:
    """Return the names of the losses of tasks, in their order."""
    return [f"task_{task.name}" for task in tasks]


def task_counts(tasks: Sequence[ModelTask], targets: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the number of known labels of each task by the name of its loss, float32 scalars.

    Args:
        targets: float32 [examples, candidates, tasks], NaN where unknown.
    """
    known = tf.cast(tf.math.is_finite(targets), tf.float32)
    return {name: tf.reduce_sum(known[..., n]) for n, name in enumerate(task_losses(tasks))}


def task_totals(
    heads: TaskHeads,
    scores: tf.Tensor,
    targets: tf.Tensor,
    drawn: tf.Tensor,
    log_rate: tf.Tensor,
    learned: Sequence[bool],
) -> dict[str, tf.Tensor]:
    """Return the sum of each task's loss by its name, float32 scalars, to be divided by `task_counts`.

    Events count whose label is known. Of a task with `negatives`, every sampled negative counts as label 0, divided by
    the rate at which it was drawn, so that a score is the logit of the probability among all items. The sum is divided
    by the number of known labels alone: it is what one event loses against the catalogue. With a learned weight
    (Kendall et al. 2018) a mean loss L becomes exp(-s) L + s / 2, with s = log σ² a weight of the model.

    Args:
        scores: float32 [examples, tasks, candidates + shared].
        targets: float32 [examples, candidates, tasks], NaN where unknown.
        drawn: bool [examples, candidates + shared], sampled negatives.
        log_rate: float32 [examples, candidates + shared], log of their rates.
        learned: per task, whether its weight is learned.
    """
    own = tf.shape(targets)[1]
    counts = task_counts(heads.tasks, targets)
    totals = {}
    for n, (task, name) in enumerate(zip(heads.tasks, task_losses(heads.tasks), strict=True)):
        values, thresholds = TASKS[task.kind].values, heads.thresholds_of(n)
        labels = targets[..., n]
        known = tf.math.is_finite(labels)
        # A label of 1 stands in for unknown ones, whose loss is not read but must be finite.
        losses = values(scores[:, n, :own], tf.where(known, labels, 1.0), thresholds, task.parameters)
        total = tf.reduce_sum(tf.where(known, losses, 0.0))
        if task.negatives:
            of_drawn = values(scores[:, n, :], tf.zeros_like(scores[:, n, :]), thresholds, task.parameters)
            total += tf.reduce_sum(tf.where(drawn, of_drawn * tf.exp(-log_rate), 0.0))
        if learned[n]:
            uncertainty = heads.uncertainty[n]
            total = tf.exp(-uncertainty) * total + 0.5 * uncertainty * counts[name]
        totals[name] = total
    return totals
