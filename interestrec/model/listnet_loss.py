"""ListNet: the softmax over each list against the softmax of its labels."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, with_order

# Labels lie in [0, 1]: a label of 1 gets e^10 times the probability of a label of 0, more than all sampled negatives
# together.
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

    ListNet (Cao et al. 2007). Unlike in `impression_softmax`, the ratio of two target probabilities depends only on the
    difference of the two labels. The target is smooth already, so `smoothing` has no effect.

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
    """
    target = tf.nn.softmax(tf.where(present, labels / temperature, _ABSENT), axis=-1)
    log_probability = tf.nn.log_softmax(tf.where(present, logits, _ABSENT), axis=-1)
    return -tf.reduce_sum(tf.where(present, target * log_probability, 0.0), axis=-1)


LISTNET = CandidateLoss(
    listnet,
    with_order,
    "softmax over each list against the softmax of its labels; it respects graded labels more",
    normalised=True,
)
