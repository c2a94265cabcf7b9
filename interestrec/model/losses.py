"""The losses. Every one is a mean over what it counts, float32, and zero when there is nothing to count."""

import tensorflow as tf


def graded_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Cross-entropy against an intensity in [0, 1]: -y log σ(s) - (1 - y) log(1 - σ(s)).

    Its minimum is at σ(s) = y, so the model's output is an intensity and not only an order.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; sampled negatives and padding are not known and do not count.
    """
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    return _mean(losses, known)


def impression_softmax(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Listwise cross-entropy within an impression: -Σ_c (y_c / Σ y) log softmax(s)_c.

    The top-one probability loss of ListNet (Cao et al. 2007) with gains in place of exponentiated scores; for one
    positive it is the sampled softmax of NRMS (Wu et al. 2019). Impressions without a positive do not count.

    Args:
        logits: float32 [impressions, candidates].
        labels: float32 [impressions, candidates]; intensity of positives, 0 for shown-and-ignored and for
            sampled negatives.
        present: bool [impressions, candidates], False at padding.
    """
    log_probability = tf.nn.log_softmax(tf.where(present, logits, -1e9), axis=-1)
    gains = tf.where(present, labels, 0.0)
    total = tf.reduce_sum(gains, axis=-1)
    losses = -tf.reduce_sum(gains * log_probability, axis=-1) / tf.maximum(total, 1e-9)
    return _mean(losses, total > 0)


def masked_token(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of masked tokens: float32 [positions, vocabulary] logits, int32 [positions] labels >= 0."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def _mean(losses: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(counted, tf.float32)
    return tf.reduce_sum(tf.where(counted, losses, 0.0)) / tf.maximum(tf.reduce_sum(weights), 1.0)


# The losses that finetune adds up, by the setting that weighs each.
LOSSES = {"intensity": graded_cross_entropy, "softmax": impression_softmax}
