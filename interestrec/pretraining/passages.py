"""Passages: the texts of adaptation, and the pictures that go with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TRAIN
from interestrec.model.encoder import EncoderInputs
from interestrec.text.text_frames import TextFrame
from interestrec.text.text_inputs import text_inputs

_LENGTH_MULTIPLE = 8  # padded lengths are multiples of it


@dataclass(frozen=True)
class Passages:
    """Training texts; passage n is row n of every side."""

    sides: tuple[EncoderInputs, ...]  # one side, or two sides to match
    items: np.ndarray  # int64 [passages], row in items.parquet of the first item with the passage

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens or other positions over all sides, int64 [passages]."""
        return np.sum([side.lengths for side in self.sides], axis=0)

    def select(self, rows: np.ndarray) -> "Passages":
        """Return the passages at `rows`, in this order."""
        return Passages(tuple(side.select(rows) for side in self.sides), self.items[rows])

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return passages as a batch: per side values, as ids int32 [rows, length], and mask float32 [rows, length]."""
        lengths = [-(-int(side.lengths[rows].max()) // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE for side in self.sides]
        pairs = zip(self.sides, lengths, strict=True)
        return tuple(array for side, length in pairs for array in side.padded(rows, length))


def corpus_passages(
    corpus: Corpus,
    features: pa.Table,
    sides: Sequence[Sequence[tuple[str, int]]],
    frame: TextFrame,
    max_length: int,
    pictures: EncoderInputs | None = None,
) -> Passages:
    """Return the distinct passages of items that occur in train and have text or a picture on every side.

    Args:
        features: table of schemas.TEXT_FEATURES.
        sides: per side pairs of `title` or `text` and its maximum number of tokens, in order.
        frame: what stands around a text.
        max_length: maximum number of tokens of a side, special tokens included.
        pictures: a last side, of all items; without positions where an item has no picture.
    """
    inputs: list[EncoderInputs] = [text_inputs(features, fields, frame, max_length) for fields in sides]
    present = [_occurs_in_train(corpus), *(side.lengths > frame.size for side in inputs)]
    if pictures is not None:
        inputs.append(pictures)
        present.append(pictures.lengths > 0)
    items = np.flatnonzero(np.all(present, axis=0))
    numbers = [side.select(items).distinct()[1] for side in inputs]
    _, first = np.unique(np.stack(numbers, axis=1), axis=0, return_index=True)
    items = items[np.sort(first)]
    return Passages(tuple(side.select(items) for side in inputs), items)


def hold_out(passages: Passages, share: float, seed: int) -> tuple[Passages, Passages]:
    """Return the passages to train on, and those that a seeded draw holds out; either may be empty."""
    order = np.random.default_rng([seed, 3]).permutation(len(passages))
    held_out = round(len(passages) * share)
    return passages.select(np.sort(order[held_out:])), passages.select(np.sort(order[:held_out]))


def _occurs_in_train(corpus: Corpus) -> np.ndarray:
    """Whether items occur in a train event, history or candidate list: bool [items]."""
    occurs = np.zeros(corpus.items.num_rows, bool)
    occurs[corpus.timelines.item[corpus.timelines.split == TRAIN]] = True
    impressions = corpus.impressions
    occurs[impressions.item[ragged.repeat(impressions.offsets, impressions.split == TRAIN)]] = True
    return occurs
