"""User texts: the concatenated texts of the items that a user was interested in."""

from dataclasses import replace

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ConfigError
from interestrec.model.encoder import EncoderInputs
from interestrec.text.text_inputs import TextInputs

_RANGES_PER_BLOCK = 4096  # bounds memory besides the result


def require_texts(inputs: EncoderInputs) -> TextInputs:
    """Check that the inputs of items are texts, which user texts are made of.

    Raises:
        ConfigError: the encoder does not read texts.
    """
    if not isinstance(inputs, TextInputs):
        raise ConfigError("finetune.user_tower: text needs an encoder of texts; set it to items")
    return inputs


def documents(
    items: TextInputs, item: np.ndarray, intensity: np.ndarray, start: np.ndarray, end: np.ndarray, max_length: int
) -> TextInputs:
    """Build the user texts [CLS] latest item [SEP] … earliest item [SEP], truncated before the last [SEP].

    [CLS] and [SEP] stand for the tokens before and after every item, which may be several or none.

    Args:
        items: encoder input of all items, by item.
        item: int32 [events], oldest first within a range.
        intensity: float32 [events]; events of intensity 0 show no interest and are left out.
        start: int64 [texts], the first event of each text.
        end: int64 [texts], exclusive.
        max_length: maximum number of tokens of a text, special tokens included; at least 3.

    Returns:
        One text per range; it has no tokens if the range has no event with an intensity above 0.
    """
    begins = range(0, len(start), _RANGES_PER_BLOCK)
    blocks = [
        _block(items, item, intensity, start[b : b + _RANGES_PER_BLOCK], end[b : b + _RANGES_PER_BLOCK], max_length)
        for b in begins
    ]
    lengths = np.concatenate([np.zeros(0, np.int64), *(block for block, _ in blocks)])
    tokens = np.concatenate([np.zeros(0, np.int32), *(block for _, block in blocks)])
    return replace(items, offsets=ragged.from_lengths(lengths), tokens=tokens)


def _block(
    items: TextInputs, item: np.ndarray, intensity: np.ndarray, start: np.ndarray, end: np.ndarray, max_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Build some texts: lengths int64 [texts] and concatenated tokens int32."""
    events = ragged.from_lengths(end - start)
    owner = ragged.owner(events)
    event = end[owner] - 1 - ragged.positions(events)
    liked = intensity[event] > 0
    owner, text = owner[liked], item[event[liked]]
    # Of an item's [CLS] tokens [SEP], all but [CLS] enter the text after its own [CLS].
    lead, trail = items.leading, items.trailing
    sizes = items.lengths[text] - lead
    before = ragged.from_lengths(sizes)[:-1]
    total = np.bincount(owner, sizes, minlength=len(start)).astype(np.int64)
    first = ragged.from_lengths(total)
    kept_sizes = np.clip(max_length - lead - (before - first[owner]), 0, sizes)
    lengths = np.where(total > 0, np.minimum(total + lead, max_length), 0)
    tokens = np.zeros(lengths.sum(), np.int32)
    begin = ragged.from_lengths(lengths)[:-1]
    pieces = ragged.from_lengths(kept_sizes)
    piece, place = ragged.owner(pieces), ragged.positions(pieces)
    source = items.offsets[:-1][text][piece] + lead + place
    tokens[begin[owner[piece]] + lead + before[piece] - first[owner[piece]] + place] = items.tokens[source]
    filled = lengths > 0
    if filled.any():
        own_start, own_end = items.offsets[0], items.offsets[1]
        for number in range(lead):
            tokens[begin[filled] + number] = items.tokens[own_start + number]
        for number in range(1, trail + 1):
            tokens[begin[filled] + lengths[filled] - number] = items.tokens[own_end - number]
    return lengths, tokens
