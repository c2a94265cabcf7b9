"""What an encoder learns from texts alone, by the values of `pretrain_adapt.objective`."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from interestrec.model.backend import tf
from interestrec.model.bert import Bert
from interestrec.model.contrastive import info_nce
from interestrec.model.losses import masked_token
from interestrec.model.masked_lm import MaskedLmHead
from interestrec.model.noise import Noise, branch
from interestrec.text.masking import IGNORED, mask_tokens
from interestrec.text.tokenizer import Tokenizer
from interestrec.training.engine import Arrays, Objective
from interestrec.training.passages import Passages

_IDS, _MASK = (tf.TensorSpec([None, None], kind) for kind in (tf.int32, tf.float32))


@dataclass(frozen=True)
class TextObjectiveOptions:
    """Names and meanings are those of the `pretrain_adapt` settings."""

    mask_probability: float = 0.15
    whole_words: bool = False
    temperature: float = 0.05


class TextTask(Objective, Protocol):
    """An Objective of one loss, with what it learns and how its batches are made."""

    name: str  # of the loss
    bert: Bert
    noisy: bool  # the loss says nothing without dropout, on held-out texts neither

    @property
    def head(self) -> MaskedLmHead | None:
        """Weights of its own beside the encoder's."""

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """The given passages as arrays of `signature`, each of as many rows; what is random in them is of the seed."""

    def figures(self, loss: float) -> dict[str, float]:
        """What to report of a mean loss."""


class MaskedTokens:
    """Cross-entropy at masked tokens (Devlin et al. 2019); logits are computed for these alone."""

    name = "masked"
    noisy = False
    signature = (_IDS, _MASK, _IDS)  # tokens, which are no padding, labels

    def __init__(self, bert: Bert, tokenizer: Tokenizer, options: TextObjectiveOptions) -> None:
        """`ConfigError` where whole words are asked for and the tokenizer does not tell words."""
        self.bert = bert
        self.head = MaskedLmHead(bert)
        self.tokenizer = tokenizer
        self.probability = options.mask_probability
        self.whole_words = tokenizer.continuation_mask() if options.whole_words else None

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See Learning."""
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
        logits = self.head(tf.boolean_mask(self.bert(ids, mask, noise), predicted), self.bert.words)
        loss = tf.reduce_sum(masked_token(logits, tf.boolean_mask(labels, predicted)))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See Learning."""
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


class ContrastiveTexts:
    """InfoNCE between two vectors of each passage: of its two sides, or of two dropouts of its one side.

    Negatives of a passage are the others of its slice, for gradients are taken slice by slice: more replicas and
    `accumulate` leave fewer. Batches are of texts of similar length, so that length does not tell negatives. A passage
    that has a text in common with another is no negative of it.
    """

    head = None

    def __init__(self, name: str, sides: int, bert: Bert, temperature: float) -> None:
        """`sides` is the number of texts a passage, 1 or 2."""
        self.name = name
        self.bert = bert
        self.temperature = temperature
        self.noisy = sides == 1
        self.signature = (_IDS, _MASK) * sides

    def batch(self, passages: Passages, rows: np.ndarray, seed: list[int]) -> Arrays:
        """See Learning."""
        return passages.padded(rows)

    def counts(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """See Objective."""
        return {self.name: tf.cast(tf.shape(inputs[0])[0], tf.float32)}

    def totals(self, *inputs: tf.Tensor, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """See Objective."""
        sides = (inputs[:2], inputs[-2:])  # the same one twice where there is but one
        first, second = (
            self.bert.pool(self.bert(ids, mask, branch(noise, view)), mask) for view, (ids, mask) in enumerate(sides)
        )
        same = _equal(inputs[0]) | _equal(inputs[-2])
        loss = tf.reduce_sum(info_nce(first, second, self.temperature, same))
        return {self.name: loss}, tf.zeros([0])

    def figures(self, loss: float) -> dict[str, float]:
        """See Learning."""
        return {"loss": loss}


def _equal(ids: tf.Tensor) -> tf.Tensor:
    """Which rows hold the same tokens: bool [rows, rows]."""
    return tf.reduce_all(ids[:, None] == ids[None], axis=-1)


class TextObjective(NamedTuple):
    """An objective and the texts it takes."""

    make: Callable[[Bert, Tokenizer, TextObjectiveOptions], TextTask]
    sides: tuple[tuple[str, ...], ...] = ()  # fields of an item that each side has; () is one side, of `items.fields`


OBJECTIVES = {
    "masked": TextObjective(MaskedTokens),
    # Gao et al. 2021, "SimCSE: Simple Contrastive Learning of Sentence Embeddings", section 3
    "views": TextObjective(lambda bert, _, options: ContrastiveTexts("views", 1, bert, options.temperature)),
    "title_text": TextObjective(
        lambda bert, _, options: ContrastiveTexts("title_text", 2, bert, options.temperature), (("title",), ("text",))
    ),
}
