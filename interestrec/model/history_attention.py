"""Attention to the entries of a history, which depends on the user alone and not on a candidate."""

from typing import Any

from interestrec.model.backend import tf

ABSENT = -1e9  # logit of padding


def later_events(intensity: tf.Tensor) -> tf.Tensor:
    """Return the number of events after each entry of a history, float32 [users, length].

    Args:
        intensity: float32 [users, length], oldest first, 0 at padding.
    """
    return tf.cumsum(tf.cast(intensity > 0, tf.float32), axis=1, exclusive=True, reverse=True)


def attention_logits(entries: tf.Tensor, direction: Any, intensity: tf.Tensor, forgotten: tf.Tensor) -> tf.Tensor:
    """Return a·z_j + ln intensity_j − forgotten_j of each entry, float32 [users, length], ABSENT at padding.

    Args:
        entries: float32 [users, length, width], the z_j, oldest first.
        direction: float32 [width, 1], a tensor or a weight: a.
        intensity: float32 [users, length], 0 at padding.
        forgotten: float32 [users, length], how much less an entry counts because of its age.
    """
    present = intensity > 0
    logits = tf.squeeze(tf.matmul(entries, tf.convert_to_tensor(direction)), axis=-1)
    logits += tf.math.log(tf.where(present, intensity, 1.0))
    return tf.where(present, logits - forgotten, ABSENT)


def attention_mean(entries: tf.Tensor, logits: tf.Tensor, intensity: tf.Tensor) -> tf.Tensor:
    """Return the mean of the entries by the softmax of their logits, float32 [users, width]; 0 for an empty history.

    Args:
        entries: float32 [users, length, width].
        logits: float32 [users, length], as of `attention_logits`.
        intensity: float32 [users, length], 0 at padding.
    """
    share = tf.nn.softmax(logits, axis=-1) * tf.cast(intensity > 0, tf.float32)
    return tf.squeeze(tf.matmul(tf.expand_dims(share, 1), entries), axis=1)
