"""What a loss of candidate lists is: values of candidates or lists, and what the mean of each is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interestrec.model.backend import tf


def known_labels(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """What a pointwise loss counts: candidates with a known label, bool [impressions, candidates]."""
    return known


def with_positive(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Impressions with a label above 0, bool [impressions]."""
    return tf.reduce_any(present & (labels > 0), axis=-1)


def with_order(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Impressions whose labels differ, bool [impressions]; those of one label have no order."""
    highest = tf.reduce_max(tf.where(present, labels, -1.0), axis=-1)
    return highest > tf.reduce_min(tf.where(present, labels, 2.0), axis=-1)


class CandidateLoss(NamedTuple):
    """A loss of candidate lists and what it counts."""

    values: Callable[..., tf.Tensor]  # logits, labels, what counts as candidates, smoothing
    counted: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # labels, present, known -> the mean is over these
    summary: str  # of what it compares and what it is for
    normalised: bool = False  # compares with the sum over a list, so that it matters how often sampling puts what there

    @property
    def pointwise(self) -> bool:
        """Whether candidates count each by itself; else the lists of all that is present do."""
        return self.counted is known_labels


def count(loss: CandidateLoss, labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """How many candidates or impressions a loss counts: float32 scalar; arguments are [impressions, candidates]."""
    return tf.reduce_sum(tf.cast(loss.counted(labels, present, known), tf.float32))


def total(
    loss: CandidateLoss,
    logits: tf.Tensor,
    labels: tf.Tensor,
    present: tf.Tensor,
    known: tf.Tensor,
    log_rate: tf.Tensor | None = None,
    smoothing: float = 0.0,
) -> tf.Tensor:
    """Sum of a loss over what it counts: float32 scalar; arguments are [impressions, candidates].

    The mean over a batch is the sum of its parts' totals over the sum of their counts, whatever parts replicas or
    accumulation make of it.

    Args:
        log_rate: float32, log of how often sampling puts the candidate into a list. Where a loss normalises over the
            list it is taken off the logits (Bengio and Senécal 2008), as if every item were there equally often.
            Without one nothing is.
        smoothing: of the labels, in [0, 1).
    """
    shifted = logits - log_rate if loss.normalised and log_rate is not None else logits
    values = loss.values(shifted, labels, known if loss.pointwise else present, smoothing)
    return tf.reduce_sum(tf.where(loss.counted(labels, present, known), values, 0.0))
