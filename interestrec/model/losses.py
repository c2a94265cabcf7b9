"""The losses: values of candidates or lists, and what the mean of each is over."""

from collections.abc import Callable
from typing import NamedTuple

from interestrec.model.backend import tf

# Labels lie in [0, 1]: a certain positive gets e^10 times the probability of an item that is not wanted, and more
# than all sampled negatives together.
_TEMPERATURE = 0.1
_DELTA = 0.25  # one star of five: what is further off pulls no harder
_ABSENT = -1e9


def graded_cross_entropy(logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Cross-entropy against an intensity in [0, 1]: -y log σ(s) - (1 - y) log(1 - σ(s)), of each candidate.

    Its minimum is at σ(s) = y, so the model's output is an intensity and not only an order.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; sampled negatives and padding are not known.
        smoothing: ε of y ← (1 - ε) y + ε / 2 (Szegedy et al. 2016).
    """
    wanted = (1.0 - smoothing) * labels + smoothing / 2
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits)


def impression_softmax(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Listwise cross-entropy within an impression: -Σ_c (y_c / Σ y) log softmax(s)_c, float32 [impressions].

    The top-one probability loss of ListNet (Cao et al. 2007) with gains in place of exponentiated scores; for one
    positive it is the sampled softmax of NRMS (Wu et al. 2019).

    Args:
        logits: float32 [impressions, candidates].
        labels: float32 [impressions, candidates]; intensity of positives, 0 for shown-and-ignored and for
            sampled negatives.
        present: bool [impressions, candidates], False at padding.
        smoothing: ε of the target (1 - ε) y_c / Σ y + ε / n over the n candidates that are there.
    """
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    gains = tf.where(present, labels, 0.0)
    wanted = gains / tf.maximum(tf.reduce_sum(gains, axis=-1, keepdims=True), 1e-9)
    if smoothing:
        there = tf.cast(present, tf.float32)
        alike = there / tf.maximum(tf.reduce_sum(there, axis=-1, keepdims=True), 1.0)
        wanted = (1.0 - smoothing) * wanted + smoothing * alike
    return -tf.reduce_sum(tf.where(present, wanted * log_probability, 0.0), axis=-1)


def listnet(
    logits: tf.Tensor,
    labels: tf.Tensor,
    present: tf.Tensor,
    smoothing: float = 0.0,
    temperature: float = _TEMPERATURE,
) -> tf.Tensor:
    """Cross-entropy of two top-one distributions: -Σ_c softmax(y / temperature)_c log softmax(s)_c, [impressions].

    ListNet (Cao et al. 2007). Unlike `impression_softmax` it wants an item of half the intensity to be rarer by a
    fixed factor, however many of them there are. Its target is smooth already; `smoothing` does nothing.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
    """
    wanted = tf.nn.softmax(tf.where(present, labels / temperature, _ABSENT), axis=-1)
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    return -tf.reduce_sum(tf.where(present, wanted * log_probability, 0.0), axis=-1)


def pairwise_logistic(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Weighted mean over the pairs with y_i > y_j of an impression: log(1 + exp(-(s_i - s_j))), weights y_i - y_j.

    RankNet (Burges et al. 2005); for an event against sampled negatives BPR (Rendle et al. 2009). Every impression
    with a pair counts alike, as in the mean AUC that this is a smooth bound of. float32 [impressions].

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
        smoothing: ε, the share of pairs taken to be the other way round (Burges et al. 2005, section 3).
    """
    both = present[:, :, None] & present[:, None, :]
    above = tf.where(both, tf.nn.relu(labels[:, :, None] - labels[:, None, :]), 0.0)  # [impressions, i, j]
    margin = logits[:, :, None] - logits[:, None, :]
    losses = tf.nn.softplus(-margin) + smoothing * margin
    return tf.reduce_sum(above * losses, axis=[1, 2]) / tf.maximum(tf.reduce_sum(above, axis=[1, 2]), 1e-9)


def huber(
    logits: tf.Tensor, labels: tf.Tensor, known: tf.Tensor, smoothing: float = 0.0, delta: float = _DELTA
) -> tf.Tensor:
    """Of each candidate's error e = σ(s) - y: e² / 2 up to |e| = delta, then delta (|e| - delta / 2) (Huber 1964).

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y.
        known: bool [impressions, candidates]; sampled negatives and padding are not known.
        smoothing: as in `graded_cross_entropy`.
    """
    error = tf.abs(tf.sigmoid(logits) - ((1.0 - smoothing) * labels + smoothing / 2))
    within = tf.minimum(error, delta)
    return within * (error - within / 2)


def masked_token(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each masked token: float32 [positions, vocabulary] logits, int32 [positions] labels >= 0."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


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


class Loss(NamedTuple):
    """A loss of candidate lists and what it counts."""

    of: Callable[..., tf.Tensor]  # logits, labels, what counts as candidates, smoothing
    counted: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # labels, present, known -> the mean is over these
    normalised: bool = False  # compares with the sum over a list, so that it matters how often sampling puts what there

    @property
    def pointwise(self) -> bool:
        """Whether candidates count each by itself; else the lists of all that is present do."""
        return self.counted is known_labels


# The losses that finetune adds up, by the keys of `finetune.losses`. In-batch softmax (Yi et al. 2019) is `softmax`
# over lists that are filled up with the positives of the rest of the batch.
LOSSES = {
    "intensity": Loss(graded_cross_entropy, known_labels),
    "softmax": Loss(impression_softmax, with_positive, normalised=True),
    "listnet": Loss(listnet, with_order, normalised=True),
    "pairwise": Loss(pairwise_logistic, with_order),
    "huber": Loss(huber, known_labels),
}


def count(loss: Loss, labels: tf.Tensor, present: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """How many candidates or impressions a loss counts: float32 scalar; arguments are [impressions, candidates]."""
    return tf.reduce_sum(tf.cast(loss.counted(labels, present, known), tf.float32))


def total(
    loss: Loss,
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
    values = loss.of(shifted, labels, known if loss.pointwise else present, smoothing)
    return tf.reduce_sum(tf.where(loss.counted(labels, present, known), values, 0.0))
