"""The objective of the next-item model: a softmax over a following item and sampled negatives."""

from interestrec.model.backend import tf
from interestrec.model.next_item import NextItem

LOSS = "next_item"
_ABSENT = -1e9  # logit of an accidental hit


class NextItemObjective:
    """An Objective: sampled softmax of items that follow each step (Jean et al. 2015)."""

    def __init__(self, model: NextItem) -> None:
        self.model = model
        vector, matrix, cube = (tf.TensorSpec([None] * rank, tf.int32) for rank in (1, 2, 3))
        self.signature = (vector, vector, matrix, cube, matrix)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        *_, targets, _ = inputs
        return {LOSS: tf.reduce_sum(tf.cast(targets >= 0, tf.float32))}

    def totals(self, *inputs: tf.Tensor, noise: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective; the extra tensor is empty.

        Args:
            inputs: items, steps and gaps of NextItem; `targets`, int32 [histories, length, targets], the items that
                follow each step, -1 where there are fewer; and `negatives`, int32 [histories, negatives], which the
                steps of a history share.
        """
        *history, targets, negatives = inputs
        expected = self.model(*history, noise=noise)
        positive = tf.einsum("hlw,hltw->hlt", expected, self.model.item_vectors(tf.maximum(targets, 0)))
        sampled = tf.matmul(expected, self.model.item_vectors(negatives), transpose_b=True)
        return {LOSS: sampled_softmax(positive, sampled, targets, negatives)}, tf.zeros([0])


def sampled_softmax(positive: tf.Tensor, sampled: tf.Tensor, targets: tf.Tensor, negatives: tf.Tensor) -> tf.Tensor:
    """Sum over the targets of -log(e^p / (e^p + Σ e^s)), where negatives that are the target are left out; scalar.

    Args:
        positive: float32 [histories, length, targets], logits p of the targets.
        sampled: float32 [histories, length, negatives], logits s of the negatives.
        targets: int32 [histories, length, targets], -1 where there is none.
        negatives: int32 [histories, negatives].
    """
    hit = tf.equal(targets[:, :, :, None], negatives[:, None, None, :])
    others = tf.reduce_logsumexp(tf.where(hit, _ABSENT, sampled[:, :, None, :]), axis=-1)
    return tf.reduce_sum(tf.where(targets >= 0, tf.nn.softplus(others - positive), 0.0))
