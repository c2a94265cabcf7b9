"""ListNet: the softmax over each list against the softmax of its labels."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, with_order

# Labels lie in [0, 1]: a certain positive gets e^10 times the probability of an item that is not wanted, and more
# than all sampled negatives together.
_TEMPERATURE = 0.1
_ABSENT = -1e9


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


LISTNET = CandidateLoss(
    listnet,
    with_order,
    "softmax over each list against the softmax of its labels; it respects graded labels more",
    normalised=True,
)
