"""The objective `masked`: to predict tokens that are hidden."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import OpenFraction, Section
from interestrec.model.backend import tf
from interestrec.model.noise import Noise
from interestrec.pretraining.text_objective import TextObjective
from interestrec.text.masking import IGNORED, mask_tokens

if TYPE_CHECKING:
    from interestrec.model.encoder import Encoder
    from interestrec.pretraining.passages import Passages
    from interestrec.text.tokenizer import Tokenizer
    from interestrec.training.engine import Arrays


class MaskedObjectiveSettings(Section):
    """Keys of `masked`."""

    mask_probability: OpenFraction = 0.15
    """Share of tokens that `masked` predicts."""
    whole_words: bool = False
    """With `masked`: `true` masks all tokens of a word or none, which is harder to guess."""


def masked_token(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each masked token: float32 [positions, vocabulary] logits, int32 [positions] labels >= 0."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


class MaskedTokens:
    """Cross-entropy at masked tokens (Devlin et al. 2019); logits are computed for these alone."""

    name = "masked"
    noisy = False

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, settings: MaskedObjectiveSettings) -> None:
        """`ConfigError` where whole words are asked for and the tokenizer does not tell words, or the encoder has no
        tokens."""
        self.encoder = encoder
        ids, mask = (tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32))
        self.signature = (ids, mask, ids)  # tokens, which are no padding, labels
        self.head = encoder.masked_lm_head()
        self.tokenizer = tokenizer
        self.probability = settings.mask_probability
        self.whole_words = tokenizer.continuation_mask() if settings.whole_words else None

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See TextTask."""
        ids, mask = passages.padded(rows)
        maskable = (mask > 0) & ~np.isin(ids, self.tokenizer.special_ids)
        inputs, labels = mask_tokens(
            ids,
            maskable,
            np.random.default_rng(seed),
            self.tokenizer.mask_id,
            self.tokenizer.vocabulary_size,
            self.probability,
            self.tokenizer.special_ids,
            self.whole_words,
        )
        if not (labels != IGNORED).any():  # a batch of very short texts: predict one token, so that there is a loss
            row, column = np.argwhere(maskable)[0]
            inputs[row, column], labels[row, column] = self.tokenizer.mask_id, ids[row, column]
        return inputs, mask, labels

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.reduce_sum(tf.cast(inputs[2] != IGNORED, tf.float32))}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        ids, mask, labels = inputs
        predicted = labels != IGNORED
        logits = self.head(tf.boolean_mask(self.encoder(ids, mask, noise), predicted), self.encoder.words)
        loss = tf.reduce_sum(masked_token(logits, tf.boolean_mask(labels, predicted)))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See TextTask."""
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


MASKED = TextObjective(MaskedTokens, "predicts hidden tokens (Devlin et al. 2019)", MaskedObjectiveSettings)
