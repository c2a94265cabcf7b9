"""The contrastive loss of two views of the same texts: of each other's neighbours, one's own view is to be nearest."""

from __future__ import annotations

from interestrec.model.backend import tf

_ABSENT = -1e9


def info_nce(first: tf.Tensor, second: tf.Tensor, temperature: float, same: tf.Tensor | None = None) -> tf.Tensor:
    """Cross-entropy of finding a text's other view in the batch, mean of both directions; float32 [texts], in nats.

    With s_ij = cos(first_i, second_j) / temperature, of text i half of -log softmax_j(s_ij) at j = i plus half of
    -log softmax_j(s_ji) at j = i. InfoNCE (van den Oord et al. 2018) as in SimCSE (Gao et al. 2021), where the views
    are one text under two dropouts, made symmetric; a title against its body is the same with these as the views.
    Views of the same side are no negatives of each other, as they are in SimCLR's NT-Xent (Chen et al. 2020).

    Args:
        first: float32 [texts, width], of any length.
        second: float32 [texts, width], row i the other view of the same text.
        temperature: above 0; SimCSE takes 0.05.
        same: bool [texts, texts], symmetric, True where two rows hold an equal text. Neither is a negative of the
            other then; the diagonal says nothing. Without it all rows differ.
    """
    logits = _directions(first) @ tf.transpose(_directions(second)) / temperature
    if same is not None:
        others = ~tf.eye(tf.shape(logits)[0], dtype=tf.bool)
        logits = tf.where(same & others, _ABSENT, logits)
    found = tf.nn.log_softmax(logits, axis=1) + tf.nn.log_softmax(logits, axis=0)
    return -tf.linalg.diag_part(found) / 2


def _directions(vectors: tf.Tensor) -> tf.Tensor:
    return tf.math.l2_normalize(vectors, axis=-1)
