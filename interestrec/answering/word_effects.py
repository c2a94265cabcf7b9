"""What the words of an item's text add to the model's logit: integrated gradients, with their completeness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from interestrec.core.errors import ConfigError, DataError
from interestrec.text.text_inputs import TextInputs
from interestrec.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from interestrec.model.encoder import EncoderInputs
    from interestrec.scorers.requests import Requests
    from interestrec.scorers.two_tower_model import TwoTowerModel
    from interestrec.scorers.word_logits import TextNetwork

COMPLETE_WITHIN = 0.02  # largest share of the logit's change that the effects of words may miss
_STEPS = (64, 128, 256)  # of the quadrature, until the effects are complete


@dataclass(frozen=True)
class WordEffects:
    """Effects of the words of an item's text on the logit of order, in the order of the text."""

    words: list[tuple[str, float]]
    logit: float
    baseline_logit: float  # with the token of padding in place of each word
    error: float  # |sum of effects − change of the logit| over the change

    @property
    def complete(self) -> bool:
        """Whether the effects add up to the change of the logit, as they do in the limit of many steps."""
        return self.error <= COMPLETE_WITHIN


def word_effects(
    models: "Sequence[TwoTowerModel]",
    networks: "Sequence[TextNetwork]",
    tokenizer: Tokenizer,
    inputs: "EncoderInputs",
    requests: "Requests",
    item: int,
) -> WordEffects:
    """Attribute the mean logit of order of a request and an item to the words of the item's text.

    Integrated gradients along the path from the text whose words are all the token of padding, at the same positions
    and with the same special tokens, to the text itself (Sundararajan, Taly and Yan 2017). The effect of a word is the
    sum over its tokens. The encoder runs in float32; what a cache holds of it in float16 is not rounded here.

    Args:
        models: one per seed.
        networks: of each model.
        inputs: texts of all items.
        requests: one request.

    Raises:
        ConfigError: the models represent users by texts, or the tokenizer does not mark where words start.
        DataError: the item has no text.
    """
    from interestrec.model.integrated_gradients import integrated_gradients
    from interestrec.scorers.word_logits import require_order, require_users_of_items, word_logit

    tokens, mask = inputs.padded(np.array([item]), int(inputs.lengths[item]))
    is_word = ~np.isin(tokens[0], tokenizer.special_ids)
    if isinstance(inputs, TextInputs):  # a prompt consists of words, but not of the item's
        place = np.arange(tokens.shape[1])
        is_word &= (place >= inputs.leading) & (place < tokens.shape[1] - inputs.trailing)
    if not is_word.any():
        raise DataError("the item has no text, so there are no words to explain")
    change, value, baseline_value, missed = np.zeros(tokens.shape[1]), 0.0, 0.0, 0.0
    for model, network in zip(models, networks, strict=True):
        require_users_of_items(model)
        require_order(model)
        table = np.asarray(network.encoder.words)
        point, baseline = table[tokens[0]], table[np.where(is_word, tokenizer.pad_id, tokens[0])]
        logit = word_logit(model, network, requests, item, mask)
        for steps in _STEPS:
            found = integrated_gradients(logit, point, baseline, steps)
            if found.error <= COMPLETE_WITHIN:
                break
        change += found.parts.sum(axis=1) / len(models)
        value, baseline_value = value + found.value / len(models), baseline_value + found.baseline_value / len(models)
    difference = value - baseline_value
    missed = abs(float(change.sum()) - difference)
    error = missed / abs(difference) if difference else float(missed > 0)
    return WordEffects(_by_word(tokens[0], change, is_word, tokenizer), value, baseline_value, error)


def _by_word(
    tokens: np.ndarray, change: np.ndarray, is_word: np.ndarray, tokenizer: Tokenizer
) -> list[tuple[str, float]]:
    """Return the words of a text with the sums of `change` over their tokens."""
    from tokenizers import decoders

    try:
        continues = tokenizer.continuation_mask()
    except ConfigError:
        raise ConfigError("the tokenizer does not mark where words start, so words cannot be explained") from None
    words: list[tuple[list[int], float]] = []
    for place in np.flatnonzero(is_word):
        token, adjoins = int(tokens[place]), place > 0 and bool(is_word[place - 1])
        if words and adjoins and continues[token]:
            words[-1] = ([*words[-1][0], token], words[-1][1] + change[place])
        else:
            words.append(([token], float(change[place])))
    decoder = tokenizer.backend.decoder or decoders.WordPiece()
    return [(decoder.decode([*map(tokenizer.backend.id_to_token, ids)]).strip(), float(total)) for ids, total in words]
