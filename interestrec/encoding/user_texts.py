"""Users as texts: the texts of the items that a user showed interest in, one after another."""

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import ConfigError
from interestrec.model.encoder import EncoderInputs
from interestrec.text.text_inputs import TextInputs

_RANGES_PER_BLOCK = 4096  # worked on at a time, which bounds memory beside the result


def require_texts(inputs: EncoderInputs) -> TextInputs:
    """The inputs of items as texts, of which those of users are made.

    Raises:
        ConfigError: the encoder reads something else.
    """
    if not isinstance(inputs, TextInputs):
        raise ConfigError("finetune.user_tower: text needs an encoder of texts; set it to items")
    return inputs


def documents(
    items: TextInputs, item: np.ndarray, intensity: np.ndarray, start: np.ndarray, end: np.ndarray, max_length: int
) -> TextInputs:
    """[CLS] text of the latest item [SEP] … text of the earliest [SEP], cut before the last [SEP].

    Args:
        items: encoder input of all items, by item.
        item: int32 [events], oldest first within a range.
        intensity: float32 [events]; an event of intensity 0 is no interest and is not in the text.
        start: int64 [texts], the first event of each text.
        end: int64 [texts], exclusive.
        max_length: tokens of a text, special ones included; at least 3.

    Returns:
        One text a range; of no tokens at all where the range has no event with an intensity above 0.
    """
    blocks = range(0, len(start), _RANGES_PER_BLOCK)
    made = [
        _block(items, item, intensity, start[b : b + _RANGES_PER_BLOCK], end[b : b + _RANGES_PER_BLOCK], max_length)
        for b in blocks
    ]
    lengths = np.concatenate([np.zeros(0, np.int64), *(found for found, _ in made)])
    tokens = np.concatenate([np.zeros(0, np.int32), *(found for _, found in made)])
    return TextInputs(ragged.from_lengths(lengths), tokens, items.pad_id)


def _block(
    items: TextInputs, item: np.ndarray, intensity: np.ndarray, start: np.ndarray, end: np.ndarray, max_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths int64 [texts] and tokens int32, laid end to end."""
    events = ragged.from_lengths(end - start)
    owner = ragged.owner(events)
    event = end[owner] - 1 - ragged.positions(events)
    liked = intensity[event] > 0
    owner, read = owner[liked], item[event[liked]]
    # Of an item's [CLS] tokens [SEP] all but the first follow the document's own [CLS].
    sizes = items.lengths[read] - 1
    before = ragged.from_lengths(sizes)[:-1]
    total = np.bincount(owner, sizes, minlength=len(start)).astype(np.int64)
    first = ragged.from_lengths(total)
    taken = np.clip(max_length - 1 - (before - first[owner]), 0, sizes)
    lengths = np.where(total > 0, np.minimum(total + 1, max_length), 0)
    tokens = np.zeros(lengths.sum(), np.int32)
    begin = ragged.from_lengths(lengths)[:-1]
    pieces = ragged.from_lengths(taken)
    piece, place = ragged.owner(pieces), ragged.positions(pieces)
    source = items.offsets[:-1][read][piece] + 1 + place
    tokens[begin[owner[piece]] + 1 + before[piece] - first[owner[piece]] + place] = items.tokens[source]
    some = lengths > 0
    if some.any():
        tokens[begin[some]] = items.tokens[items.offsets[0]]
        tokens[begin[some] + lengths[some] - 1] = items.tokens[items.offsets[1] - 1]
    return lengths, tokens
