"""The losses. Every one is a mean over what it counts, float32, and zero when there is nothing to count."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# Labels lie in [0, 1]: a certain positive gets e^10 times the probability of an item that is not wanted, and more
# than all sampled negatives together.
_TEMPERATURE = 0.1
_DELTA = 0.25  # one star of five: what is further off pulls no harder
_ABSENT = -1e9


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
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    gains = tf.where(present, labels, 0.0)
    total = tf.reduce_sum(gains, axis=-1)
    losses = -tf.reduce_sum(gains * log_probability, axis=-1) / tf.maximum(total, 1e-9)
    return _mean(losses, total > 0)


def listnet(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, temperature: float = _TEMPERATURE) -> tf.Tensor:
    """Cross-entropy of two top-one distributions: -Σ_c softmax(y / temperature)_c log softmax(s)_c.

    ListNet (Cao et al. 2007). Unlike `impression_softmax` it wants an item of half the intensity to be rarer by a
    fixed factor, however many of them there are. Impressions of one label have no order and do not count.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
    """
    wanted = tf.nn.softmax(tf.where(present, labels / temperature, _ABSENT), axis=-1)
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    losses = -tf.reduce_sum(tf.where(present, wanted * log_probability, 0.0), axis=-1)
    highest = tf.reduce_max(tf.where(present, labels, -1.0), axis=-1)
    lowest = tf.reduce_min(tf.where(present, labels, 2.0), axis=-1)
    return _mean(losses, highest > lowest)


def pairwise_logistic(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Weighted mean over the pairs with y_i > y_j of an impression: log(1 + exp(-(s_i - s_j))), weights y_i - y_j.

    RankNet (Burges et al. 2005); for an event against sampled negatives BPR (Rendle et al. 2009). Every impression
    with a pair counts alike, as in the mean AUC that this is a smooth bound of.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
    """
    both = present[:, :, None] & present[:, None, :]
    above = tf.where(both, tf.nn.relu(labels[:, :, None] - labels[:, None, :]), 0.0)  # [impressions, i, j]
    losses = tf.nn.softplus(logits[:, None, :] - logits[:, :, None])
    total = tf.reduce_sum(above, axis=[1, 2])
    return _mean(tf.reduce_sum(above * losses, axis=[1, 2]) / tf.maximum(total, 1e-9), total > 0)


def huber(logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor, delta: float = _DELTA) -> tf.Tensor:
    """Of the error e = σ(s) - y: e² / 2 up to |e| = delta, then delta (|e| - delta / 2) (Huber 1964).

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; sampled negatives and padding are not known and do not count.
    """
    error = tf.abs(tf.sigmoid(logits) - labels)
    within = tf.minimum(error, delta)
    return _mean(within * (error - within / 2), known)


def masked_token(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of masked tokens: float32 [positions, vocabulary] logits, int32 [positions] labels >= 0."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def _mean(losses: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    weights = tf.cast(counted, tf.float32)
    return tf.reduce_sum(tf.where(counted, losses, 0.0)) / tf.maximum(tf.reduce_sum(weights), 1.0)


class Loss(NamedTuple):
    """A loss of candidate lists and what it counts."""

    of: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # logits, labels, what counts
    pointwise: bool  # counts candidates with a known label, each by itself; else lists of all that is present
    normalised: bool = False  # compares with the sum over a list, so that it matters how often sampling puts what there


# The losses that finetune adds up, by the keys of `finetune.losses`. In-batch softmax (Yi et al. 2019) is `softmax`
# over lists that are filled up with the positives of the rest of the batch.
LOSSES = {
    "intensity": Loss(graded_cross_entropy, pointwise=True),
    "softmax": Loss(impression_softmax, pointwise=False, normalised=True),
    "listnet": Loss(listnet, pointwise=False, normalised=True),
    "pairwise": Loss(pairwise_logistic, pointwise=False),
    "huber": Loss(huber, pointwise=True),
}


def measure(
    loss: Loss, logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor, log_rate: tf.Tensor | None
) -> tf.Tensor:
    """One loss of a batch; all arguments are [impressions, candidates].

    Args:
        log_rate: float32, log of how often sampling puts the candidate into a list. Where a loss normalises over the
            list it is taken off the logits (Bengio and Senécal 2008), as if every item were there equally often.
            Without one nothing is.
    """
    shifted = logits - log_rate if loss.normalised and log_rate is not None else logits
    return loss.of(shifted, labels, known if loss.pointwise else present)
