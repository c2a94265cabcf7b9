"""The contrastive loss of two views of the same texts."""

from __future__ import annotations

from interestrec.model.backend import tf

_ABSENT = -1e9


def info_nce(first: tf.Tensor, second: tf.Tensor, temperature: float, same: tf.Tensor | None = None) -> tf.Tensor:
    """Cross-entropy of identifying a text's other view in the batch, mean of both directions; float32 [texts], in nats.

    With s_ij = cos(first_i, second_j) / temperature, the loss of text i is the mean of -log softmax_j(s_ij) and
    -log softmax_j(s_ji) at j = i. InfoNCE (van den Oord et al. 2018) as in SimCSE (Gao et al. 2021), where the views
    are one text under two dropout masks, made symmetric; a title and its body can be the views as well. Unlike in
    SimCLR's NT-Xent (Chen et al. 2020), views of the same side are not negatives of each other.

    Args:
        first: float32 [texts, width], of any norm.
        second: float32 [texts, width], row i the other view of the same text.
        temperature: above 0; 0.05 in SimCSE.
        same: bool [texts, texts], symmetric, True where two rows hold an equal text, so that neither is a negative of
            the other; the diagonal is ignored. None if all rows differ.
    """
    logits = _directions(first) @ tf.transpose(_directions(second)) / temperature
    if same is not None:
        others = ~tf.eye(tf.shape(logits)[0], dtype=tf.bool)
        logits = tf.where(same & others, _ABSENT, logits)
    log_probability = tf.nn.log_softmax(logits, axis=1) + tf.nn.log_softmax(logits, axis=0)
    return -tf.linalg.diag_part(log_probability) / 2


def _directions(vectors: tf.Tensor) -> tf.Tensor:
    return tf.math.l2_normalize(vectors, axis=-1)
