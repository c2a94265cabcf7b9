"""Learned biases of attention by the distance of two tokens (Raffel et al. 2020, as MPNet uses them)."""

import math

from interestrec.model.backend import tf

_LONGEST = 128  # all greater distances share the last bucket


def relative_buckets(length: tf.Tensor, count: int) -> tf.Tensor:
    """Return the bucket of every pair of positions, int32 [length, length], by query and key.

    Half of the buckets are for keys behind the query, half for the others. Of each half, the first half is for one
    distance each, and the rest grows logarithmically up to a distance of 128.

    Args:
        length: number of positions.
        count: number of buckets.
    """
    places = tf.range(length)
    offset = places[None, :] - places[:, None]
    half, distance = count // 2, tf.abs(offset)
    exact = half // 2
    growth = tf.math.log(tf.maximum(tf.cast(distance, tf.float32), 1.0) / exact) / math.log(_LONGEST / exact)
    far = tf.minimum(exact + tf.cast(growth * (half - exact), tf.int32), half - 1)
    return tf.where(distance < exact, distance, far) + tf.where(offset > 0, half, 0)


def relative_bias(table: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Return what is added to the attention scores, float32 [1, heads, length, length].

    Args:
        table: float32 [buckets, heads].
        length: number of positions.
    """
    buckets = relative_buckets(length, table.shape[0])
    return tf.transpose(tf.gather(table, buckets), [2, 0, 1])[None]
