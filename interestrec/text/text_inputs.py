"""Token sequences of all items as one flat array, and batches of them in a few fixed shapes."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.text.text_frames import TextFrame

_TOKENS_A_BATCH = 1024  # more made it no faster, and the last batch of every length is filled up with repeats
_STEP = 4  # lengths of batches are multiples of it: at most three padding positions a text
_SHORTEST = 8  # of these lengths; shorter rows of attention share a register, and one may differ in its last bit
_TILE = 48  # rows that matrix kernels work on at once; one left over may take another path and differ in its last bit


@dataclass(frozen=True)
class TextInputs:
    """Encoder input of text n: `tokens[offsets[n]:offsets[n + 1]]`, special tokens included.

    All texts begin and end with the same tokens, those of their frame.
    """

    offsets: np.ndarray  # int64 [texts + 1]
    tokens: np.ndarray  # int32 [total]
    pad_id: int
    leading: int = 1  # tokens of the frame before a text
    trailing: int = 1  # and after it

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """int64 [texts]."""
        return np.diff(self.offsets)

    def padded(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """The given texts as a batch: ids int32 [rows, length] and mask float32 [rows, length]."""
        source, inside = ragged.padded(self.offsets[:-1][rows], self.offsets[1:][rows], length)
        ids = np.where(inside, self.tokens[source], self.pad_id)
        return ids.astype(np.int32), inside.astype(np.float32)

    def select(self, rows: np.ndarray) -> "TextInputs":
        """The given texts in the given order."""
        offsets, source = ragged.take(self.offsets, rows)
        return replace(self, offsets=offsets, tokens=self.tokens[source])

    def then(self, others: "TextInputs") -> "TextInputs":
        """These texts, and the others after them."""
        offsets = np.concatenate([self.offsets, others.offsets[1:] + self.offsets[-1]])
        return replace(self, offsets=offsets, tokens=np.concatenate([self.tokens, others.tokens]))

    def keys(self) -> list[bytes]:
        """The first 16 bytes of the SHA-256 of each text's tokens."""
        tokens = self.tokens.astype("<i4", copy=False)
        bounds = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        return [hashlib.sha256(tokens[a:b].tobytes()).digest()[:16] for a, b in bounds]

    def distinct(self) -> tuple["TextInputs", np.ndarray]:
        """The distinct texts in order of first appearance, and for every text its row among them."""
        bounds = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        rows: dict[bytes, int] = {}
        row = np.array([rows.setdefault(self.tokens[a:b].tobytes(), len(rows)) for a, b in bounds], np.int64)
        first = np.zeros(len(rows), np.int64)
        first[row[::-1]] = np.arange(len(row))[::-1]
        return self.select(first), row


def text_inputs(
    features: pa.Table,
    fields: Sequence[tuple[str, int]],
    frame: TextFrame,
    longest: int,
) -> TextInputs:
    """Tokens of the frame before, field tokens …, tokens of the frame after, of every item.

    Args:
        features: table of schemas.TEXT_FEATURES.
        fields: (`title` or `text`, most tokens taken of it), in order.
        longest: positions the encoder has; what is beyond is cut before the tokens after.
    """
    items = features.num_rows
    before, after = len(frame.before), len(frame.after)
    parts = []
    for name, budget in fields:
        column = features[f"{name}_tokens"].combine_chunks()
        offsets, tokens = column.offsets.to_numpy().astype(np.int64), column.values.to_numpy()
        if frame.ignored_id is not None:
            kept = tokens != frame.ignored_id
            offsets, tokens = ragged.filtered(offsets, kept), tokens[kept]
        parts.append((offsets, tokens, np.minimum(np.diff(offsets), budget)))
    free = np.full(items, max(longest - frame.size, 0), np.int64)
    taken = []
    for _, _, wanted in parts:
        taken.append(np.minimum(wanted, free))
        free = free - taken[-1]
    offsets = ragged.from_lengths(np.sum(taken, axis=0) + frame.size)
    tokens = np.zeros(offsets[-1], np.int32)
    for place, token in enumerate(frame.before):
        tokens[offsets[:-1] + place] = token
    for place, token in enumerate(reversed(frame.after)):
        tokens[offsets[1:] - 1 - place] = token
    start = offsets[:-1] + before
    for (source_offsets, values, _), count in zip(parts, taken, strict=True):
        _, source = ragged.ranges(source_offsets[:-1], source_offsets[:-1] + count)
        _, target = ragged.ranges(start, start + count)
        tokens[target] = values[source]
        start = start + count
    return TextInputs(offsets, tokens, frame.pad_id, before, after)


def batches(lengths: np.ndarray, tokens: int = _TOKENS_A_BATCH) -> Iterator[tuple[np.ndarray, int]]:
    """Rows and padded length of batches that cover every text once.

    Texts of one padded length stay in their order, and every batch of a length has the same number of rows, the
    last filled up with its first row, so that its tokens are whole tiles. So a text's vector is the same to the last
    bit at any place and in any company: texts may be added, and some be encoded while others come from a cache.

    Args:
        lengths: tokens of each text.
        tokens: positions of a batch, about.
    """
    padded = np.maximum(-(-lengths // _STEP) * _STEP, _SHORTEST)
    for length in np.unique(padded):
        rows = np.flatnonzero(padded == length)
        size = rows_of(int(length), tokens)
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            yield np.concatenate([batch, np.repeat(batch[:1], size - len(batch))]), int(length)


def rows_of(length: int, tokens: int = _TOKENS_A_BATCH) -> int:
    """Texts in every batch of a padded length."""
    unit = _TILE // math.gcd(_TILE, length)
    return max(tokens // length // unit, 1) * unit
