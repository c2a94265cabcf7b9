"""The logistic loss of pairs of candidates with different labels."""

from __future__ import annotations

from interestrec.model.backend import tf
from interestrec.model.candidate_loss import CandidateLoss, with_order


def pairwise_logistic(logits: tf.Tensor, labels: tf.Tensor, present: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Mean of log(1 + exp(-(s_i - s_j))) over an impression's pairs with y_i > y_j, weighted by y_i - y_j.

    RankNet (Burges et al. 2005); for an event and sampled negatives it is BPR (Rendle et al. 2009). All impressions
    with a pair have equal weight, as in the mean AUC, of which this is a smooth bound. float32 [impressions].

    Args:
        logits: float32 [impressions, candidates], s.
        labels: float32 [impressions, candidates], y; 0 for shown-and-ignored and for sampled negatives.
        present: bool [impressions, candidates], False at padding.
        smoothing: ε, the share of pairs whose order is taken to be reversed (Burges et al. 2005, section 3).
    """
    both = present[:, :, None] & present[:, None, :]
    above = tf.where(both, tf.nn.relu(labels[:, :, None] - labels[:, None, :]), 0.0)  # [impressions, i, j]
    margin = logits[:, :, None] - logits[:, None, :]
    losses = tf.nn.softplus(-margin) + smoothing * margin
    return tf.reduce_sum(above * losses, axis=[1, 2]) / tf.maximum(tf.reduce_sum(above, axis=[1, 2]), 1e-9)


PAIRWISE = CandidateLoss(
    pairwise_logistic,
    with_order,
    "logistic loss of every two candidates of a list whose labels differ; close to optimising AUC",
)
