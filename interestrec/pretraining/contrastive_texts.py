"""Objectives that match two views of each text within a batch."""

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
    """InfoNCE between two vectors of each passage: of its two sides, or of two dropouts of its one side.

    Negatives of a passage are the others of its slice, for gradients are taken slice by slice: more replicas and
    `accumulate` leave fewer. Batches are of texts of similar length, so that length does not tell negatives. A passage
    that has a text in common with another is no negative of it.
    """

    head = None

    def __init__(self, name: str, sides: int, encoder: Encoder, temperature: float) -> None:
        """`sides` is the number of texts a passage, 1 or 2."""
        self.name = name
        self.encoder = encoder
        self.temperature = temperature
        self.noisy = sides == 1
        self.signature = (*encoder.signature,) * sides

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See TextTask."""
        return passages.padded(rows)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.cast(tf.shape(inputs[0])[0], tf.float32)}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        sides = (inputs[:2], inputs[-2:])  # the same one twice where there is but one
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
    """Which rows hold the same tokens: bool [rows, rows]."""
    return tf.reduce_all(ids[:, None] == ids[None], axis=-1)
