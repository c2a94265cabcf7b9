"""The Huber loss of intensities."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, known_labels

_DELTA = 0.25  # one of five stars; larger errors have a constant gradient


def huber(
    logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor, smoothing: float = 0.0, delta: float = _DELTA
) -> tf.Tensor:
    """Per candidate with error e = σ(s) - y: e² / 2 up to |e| = delta, then delta (|e| - delta / 2) (Huber 1964).

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; False at sampled negatives and padding.
        smoothing: ε as in `graded_cross_entropy`.
    """
    error = tf.abs(tf.sigmoid(logits) - ((1.0 - smoothing) * labels + smoothing / 2))
    within = tf.minimum(error, delta)
    return within * (error - within / 2)


HUBER = CandidateLoss(
    huber,
    known_labels,
    "Huber loss of each known intensity's error; robust where labels are noisy ratings",
)
