"""ContrastiveTexts: the task that matches two views of each text within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Positive, Section
from interestrec.model.backend import tf
from interestrec.model.contrastive import info_nce
from interestrec.model.noise import Noise, branch

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.pretraining.passages import Passages
    from interestrec.training.engine import Arrays


class ContrastiveObjectiveSettings(Section):
    """Keys of objectives that compare texts."""

    temperature: Positive = 0.05
    """What cosines are divided by in `views` and `title_text`; smaller stresses the most similar negatives."""


class ContrastiveTexts:
    """InfoNCE between two vectors of each passage: of its two sides, or of its only side under two dropout masks.

    The negatives of a passage are the others of its slice, because gradients are computed per slice: more
    replicas or a larger `accumulate` leave fewer. Texts of a batch have similar lengths, so that length does not reveal
    negatives. Passages that share a text are not negatives of each other.
    """

    head = None

    def __init__(self, name: str, sides: int, encoder: Encoder, temperature: float) -> None:
        """`sides` is the number of texts per passage, 1 or 2."""
        self.name = name
        self.encoder = encoder
        self.temperature = temperature
        self.needs_dropout = sides == 1
        self.signature = (*encoder.signature,) * sides

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See TextTask."""
        return passages.padded(rows)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.cast(tf.shape(inputs[0])[0], tf.float32)}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        sides = (inputs[:2], inputs[-2:])  # the same side twice if there is only one
        first, second = (
            self.encoder.pool(self.encoder(ids, mask, branch(noise, view)), mask)
            for view, (ids, mask) in enumerate(sides)
        )
        same = _equal(inputs[0]) | _equal(inputs[-2])
        loss = tf.reduce_sum(info_nce(first, second, self.temperature, same))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See TextTask."""
        return {"loss": loss}


def _equal(ids: tf.Tensor) -> tf.Tensor:
    """Whether two rows hold the same tokens, bool [rows, rows]."""
    return tf.reduce_all(ids[:, None] == ids[None], axis=-1)
