"""Passages: the texts of adaptation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TRAIN
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import Tokenizer

_LENGTH_MULTIPLE = 8  # padded lengths are multiples of it


@dataclass(frozen=True)
class Passages:
    """Training texts; passage n is row n of every side."""

    sides: tuple[TextInputs, ...]  # one side, or two sides to match
    items: np.ndarray  # int64 [passages], row in items.parquet of the first item with the passage

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens over all sides, int64 [passages]."""
        return np.sum([side.lengths for side in self.sides], axis=0)

    def select(self, rows: np.ndarray) -> "Passages":
        """Return the passages at `rows`, in this order."""
        return Passages(tuple(side.select(rows) for side in self.sides), self.items[rows])

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return passages as a batch: per side ids int32 [rows, length] and mask float32 [rows, length]."""
        lengths = [-(-int(side.lengths[rows].max()) // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE for side in self.sides]
        pairs = zip(self.sides, lengths, strict=True)
        return tuple(array for side, length in pairs for array in side.padded(rows, length))


def corpus_passages(
    corpus: Corpus, sides: Sequence[Sequence[tuple[str, int]]], tokenizer: Tokenizer, max_length: int
) -> Passages:
    """Return the distinct passages of items that occur in train and have text on every side.

    Args:
        sides: per side pairs of `title` or `text` and its maximum number of tokens, in order.
        max_length: maximum number of tokens of a side, special tokens included.
    """
    special = (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
    texts = [text_inputs(corpus.text_features, fields, *special, max_length) for fields in sides]
    items = np.flatnonzero(np.all([_occurs_in_train(corpus), *(side.lengths > 2 for side in texts)], axis=0))
    numbers = [side.select(items).distinct()[1] for side in texts]
    _, first = np.unique(np.stack(numbers, axis=1), axis=0, return_index=True)
    items = items[np.sort(first)]
    return Passages(tuple(side.select(items) for side in texts), items)


def _occurs_in_train(corpus: Corpus) -> np.ndarray:
    """Whether items occur in a train event, history or candidate list: bool [items]."""
    occurs = np.zeros(corpus.items.num_rows, bool)
    occurs[corpus.timelines.item[corpus.timelines.split == TRAIN]] = True
    impressions = corpus.impressions
    occurs[impressions.item[ragged.repeat(impressions.offsets, impressions.split == TRAIN)]] = True
    return occurs
