"""The cross-entropy of graded intensities."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, known_labels


def graded_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Cross-entropy against an intensity in [0, 1]: -y log σ(s) - (1 - y) log(1 - σ(s)) per candidate.

    Its minimum is at σ(s) = y, so the model predicts an intensity and not only an order.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; False at sampled negatives and padding.
        smoothing: ε of y ← (1 - ε) y + ε / 2 (Szegedy et al. 2016).
    """
    target = (1.0 - smoothing) * labels + smoothing / 2
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits)


INTENSITY = CandidateLoss(
    graded_cross_entropy,
    known_labels,
    "cross-entropy between each predicted and known intensity; it makes predictions mean what they say",
)
