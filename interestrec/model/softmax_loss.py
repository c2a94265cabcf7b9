"""The softmax loss over the candidates of an impression."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, with_positive

_ABSENT = -1e9


def impression_softmax(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Listwise cross-entropy within an impression: -Σ_c (y_c / Σ y) log softmax(s)_c, float32 [impressions].

    The top-one probability loss of ListNet (Cao et al. 2007) with gains in place of exponentiated scores; for one
    positive it is the sampled softmax of NRMS (Wu et al. 2019).

    Args:
        logits: float32 [impressions, candidates].
        labels: float32 [impressions, candidates]; intensity of positives, 0 for shown-and-ignored and for
            sampled negatives.
        present: bool [impressions, candidates], False at padding.
        smoothing: ε of the target (1 - ε) y_c / Σ y + ε / n over the n candidates of the impression.
    """
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    gains = tf.where(present, labels, 0.0)
    target = gains / tf.maximum(tf.reduce_sum(gains, axis=-1, keepdims=True), 1e-9)
    if smoothing:
        ones = tf.cast(present, tf.float32)
        uniform = ones / tf.maximum(tf.reduce_sum(ones, axis=-1, keepdims=True), 1.0)
        target = (1.0 - smoothing) * target + smoothing * uniform
    return -tf.reduce_sum(tf.where(present, target * log_probability, 0.0), axis=-1)


SOFTMAX = CandidateLoss(
    impression_softmax,
    with_positive,
    "softmax over each list, positives against the other candidates; it makes the order right",
    normalised=True,
)
