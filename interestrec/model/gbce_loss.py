"""Generalised binary cross-entropy over a list of positives and sampled negatives."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, with_positive

_CALIBRATION = 0.75  # t; 0 = binary cross-entropy, 1 = as if no negative had been left out


def gbce(
    logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, smoothing: float = 0.0, log_rate: tf.Tensor | None = None
) -> tf.Tensor:
    """-[β Σ_c y_c log σ(s_c) + Σ_c (1 - y_c) log(1 - σ(s_c))] / n over the n candidates: float32 [impressions].

    With few negatives the plain cross-entropy makes everything that is drawn rarely look sure (Petrov and Macdonald
    2023, "gSASRec"). β = α (t (1 - 1/α) + 1/α), t = 0.75, weakens the positives; α is the share of all candidates that
    is in the list, its size over Σ_c 1 / rate_c.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        present: bool [impressions, candidates], False at padding.
        smoothing: ε of y ← (1 - ε) y + ε / 2.
        log_rate: float32 [impressions, candidates], log of the rates at which candidates were sampled; None: all are
            there.
    """
    ones = tf.cast(present, tf.float32)
    count = tf.maximum(tf.reduce_sum(ones, axis=-1, keepdims=True), 1.0)
    everything = count if log_rate is None else tf.reduce_sum(ones * tf.exp(-log_rate), axis=-1, keepdims=True)
    share = count / tf.maximum(everything, count)
    beta = share * (_CALIBRATION * (1.0 - 1.0 / share) + 1.0 / share)
    target = (1.0 - smoothing) * labels + smoothing / 2
    losses = beta * target * tf.nn.softplus(-logits) + (1.0 - target) * tf.nn.softplus(logits)
    return tf.reduce_sum(ones * losses, axis=-1) / tf.squeeze(count, axis=-1)


GBCE = CandidateLoss(
    gbce,
    with_positive,
    "cross-entropy of each list's candidates, whose positives weigh less the fewer negatives were drawn (gSASRec)",
    reads_rates=True,
)
