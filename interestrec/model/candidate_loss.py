"""The interface of losses over candidate lists: values per candidate or per list, and the mask of their mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from interestrec.model.backend import tf


def known_labels(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Mask of pointwise losses: candidates with a known label, bool [impressions, candidates]."""
    return known


def with_positive(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Mask of impressions with a label above 0, bool [impressions]."""
    return tf.reduce_any(present & (labels > 0), axis=-1)


def with_order(labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Mask of impressions with different labels, bool [impressions]; equal labels have no order."""
    highest = tf.reduce_max(tf.where(present, labels, -1.0), axis=-1)
    return highest > tf.reduce_min(tf.where(present, labels, 2.0), axis=-1)


class CandidateLoss(NamedTuple):
    """A loss over candidate lists and the mask of its mean."""

    values: Callable[..., tf.Tensor]  # of logits, labels, mask of candidates, smoothing
    mask: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # of labels, present, known
    summary: str  # what it compares and what it is for
    normalised: bool = False  # normalises over the list, so that the sampling rates of candidates matter
    reads_rates: bool = False  # takes the log rates as its last argument

    @property
    def pointwise(self) -> bool:
        """Whether the mean is over candidates rather than over lists."""
        return self.mask is known_labels


def count(loss: CandidateLoss, labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Number of candidates or impressions in a loss's mean, float32 scalar; arguments are [impressions, candidates]."""
    return tf.reduce_sum(tf.cast(loss.mask(labels, present, known), tf.float32))


def total(
    loss: CandidateLoss,
    logits: tf.Tensor,
    labels: tf.Tensor,
    present: tf.Tensor,
    known: tf.Tensor,
    log_rate: tf.Tensor | None = None,
    smoothing: float = 0.0,
) -> tf.Tensor:
    """Sum of a loss over its mask: float32 scalar; arguments are [impressions, candidates].

    The mean over a batch is the sum of the totals over the sum of the counts of its parts, however replicas and
    accumulation divide it.

    Args:
        log_rate: float32, log of the candidate's sampling rate. A loss that normalises over the list subtracts it from
            the logits (Bengio and Senécal 2008), as if every item were sampled equally often.
        smoothing: label smoothing, in [0, 1).
    """
    shifted = logits - log_rate if loss.normalised and log_rate is not None else logits
    rates = (log_rate,) if loss.reads_rates else ()
    values = loss.values(shifted, labels, known if loss.pointwise else present, smoothing, *rates)
    return tf.reduce_sum(tf.where(loss.mask(labels, present, known), values, 0.0))
