"""The objective `next_token`: predicts every token from those before it, as decoders were pretrained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Section
from interestrec.model.backend import tf
from interestrec.model.noise import Noise
from interestrec.pretraining.text_objective import TextObjective

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.pretraining.passages import Passages
    from interestrec.text.tokenizer import Tokenizer
    from interestrec.training.engine import Arrays


class NextTokenSettings(Section):
    """`next_token` has no keys of its own."""


class NextTokens:
    """Cross-entropy of each token after the first, given those before it (Radford et al. 2019)."""

    name = "next_token"
    needs_dropout = False

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, settings: NextTokenSettings) -> None:
        """Raise a ConfigError if the encoder looks in both directions, so that it would see what it predicts."""
        self.encoder, self.towers = encoder, (encoder,)
        ids, mask = (tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32))
        self.signature = (ids, mask)
        self.head = encoder.next_token_head()

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See TextTask."""
        return passages.padded(rows)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.reduce_sum(inputs[1][:, 1:])}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective; logits are computed only where a token follows."""
        ids, mask = inputs
        follows = mask[:, 1:] > 0
        hidden = tf.boolean_mask(self.encoder(ids, mask, noise)[:, :-1], follows)
        logits = self.head(hidden, self.encoder.words)
        labels = tf.boolean_mask(ids[:, 1:], follows)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        return {self.name: tf.reduce_sum(loss)}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See TextTask."""
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


NEXT_TOKEN = TextObjective(NextTokens, "predicts each token from those before it, for decoders", NextTokenSettings)
