"""ContrastiveTexts: the task that matches two views of each text, or a text and its picture, within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Positive, Section
from interestrec.model.backend import tf
from interestrec.model.contrastive import info_nce
from interestrec.model.noise import Noise, branch

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder, InputEncoder
    from interestrec.pretraining.passages import Passages
    from interestrec.training.engine import Arrays


class ContrastiveObjectiveSettings(Section):
    """Keys of objectives that compare texts, with each other or with pictures."""

    temperature: Positive = 0.05
    """What cosines are divided by in `views`, `title_text` and `image_text`; smaller stresses the most similar
    negatives."""


class ContrastiveTexts:
    """InfoNCE between two vectors of each passage: of its two sides, or of its only side under two dropout masks.

    The negatives of a passage are the others of its slice, because gradients are computed per slice: more
    replicas or a larger `accumulate` leave fewer. Texts of a batch have similar lengths, so that length does not reveal
    negatives. Passages that share a text or a picture are not negatives of each other. One whose picture does not
    decode is left out.
    """

    head = None

    def __init__(
        self, name: str, sides: int, encoder: Encoder, temperature: float, second: InputEncoder | None = None
    ) -> None:
        """`sides` is the number of texts and pictures per passage, 1 or 2.

        Args:
            second: encoder of the second side; None if it is that of the first.
        """
        self.name = name
        self.encoder = encoder
        self.towers = (encoder, second or encoder)[:sides]
        self.temperature = temperature
        self.needs_dropout = sides == 1
        self.signature = tuple(spec for tower in self.towers for spec in tower.signature)

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See TextTask."""
        return passages.padded(rows)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.reduce_sum(tf.cast(_complete(inputs), tf.float32))}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        sides = (inputs[:2], inputs[-2:])  # the same side twice if there is only one
        first, second = (
            tower.pool(tower(values, mask, branch(noise, view)), mask)
            for view, (tower, (values, mask)) in enumerate(zip((self.towers[0], self.towers[-1]), sides, strict=True))
        )
        lacks = ~_complete(inputs)  # which leaves such a passage no negative, so that its loss is 0
        same = _equal(inputs[0]) | _equal(inputs[-2]) | lacks[:, None] | lacks[None]
        loss = tf.reduce_sum(info_nce(first, second, self.temperature, same))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See TextTask."""
        return {"loss": loss}


def _complete(inputs: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Whether a passage has something on each side, bool [rows]; a mask without a position says that it does not."""
    return tf.reduce_any(inputs[1] > 0, axis=1) & tf.reduce_any(inputs[-1] > 0, axis=1)


def _equal(values: tf.Tensor) -> tf.Tensor:
    """Whether two rows hold the same tokens or pixels, bool [rows, rows]; by their fingerprints of 64 bits."""
    prints = tf.raw_ops.Fingerprint(data=values, method="farmhash64")
    return tf.reduce_all(prints[:, None] == prints[None], axis=-1)
