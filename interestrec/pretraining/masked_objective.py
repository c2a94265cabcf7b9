"""The objective `masked`: predicts masked tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.errors import ConfigError
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
    """Return the cross-entropy of each masked token, float32 [positions].

    Args:
        logits: float32 [positions, vocabulary].
        labels: int32 [positions], at least 0."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


class MaskedTokens:
    """Cross-entropy at masked tokens (Devlin et al. 2019); logits are computed only for masked tokens."""

    name = "masked"
    needs_dropout = False

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, settings: MaskedObjectiveSettings) -> None:
        """Raise a ConfigError if nothing can be masked, or if `whole_words` needs a tokenizer that marks words."""
        self.encoder, self.towers = encoder, (encoder,)
        ids, mask = (tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32))
        self.signature = (ids, mask, ids)  # tokens, mask of padding, labels
        self.head = encoder.masked_lm_head()
        if tokenizer.mask_id is None:
            raise ConfigError(
                "pretrain_adapt.objective masked needs a tokenizer with a mask token; choose another objective"
            )
        self.tokenizer, self.mask_id = tokenizer, tokenizer.mask_id
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
            self.mask_id,
            self.tokenizer.vocabulary_size,
            self.probability,
            self.tokenizer.special_ids,
            self.whole_words,
        )
        if not (labels != IGNORED).any():  # the loss of very short texts needs at least one masked token
            row, column = np.argwhere(maskable)[0]
            inputs[row, column], labels[row, column] = self.mask_id, ids[row, column]
        return inputs, mask, labels

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.reduce_sum(tf.cast(inputs[2] != IGNORED, tf.float32))}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        ids, mask, labels = inputs
        is_masked = labels != IGNORED
        logits = self.head(tf.boolean_mask(self.encoder(ids, mask, noise), is_masked), self.encoder.words)
        loss = tf.reduce_sum(masked_token(logits, tf.boolean_mask(labels, is_masked)))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See TextTask."""
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


MASKED = TextObjective(MaskedTokens, "predicts hidden tokens (Devlin et al. 2019)", MaskedObjectiveSettings)
