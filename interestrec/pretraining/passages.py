"""Texts that an encoder learns from by themselves, and in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TRAIN
from interestrec.text.text_inputs import TextInputs, text_inputs
from interestrec.text.tokenizer import Tokenizer

_STEP = 8  # padded lengths are multiples of it
_WINDOW = 32  # batches whose texts are sorted by length together


@dataclass(frozen=True)
class Passages:
    """What is learned from: passage n is row n of every side."""

    sides: tuple[TextInputs, ...]  # one, or two that belong together
    items: np.ndarray  # int64 [passages], row of items.parquet of the first item that has it

    def __len__(self) -> int:
        return len(self.items)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens over all sides: int64 [passages]."""
        return np.sum([side.lengths for side in self.sides], axis=0)

    def select(self, rows: np.ndarray) -> "Passages":
        """The given passages in the given order."""
        return Passages(tuple(side.select(rows) for side in self.sides), self.items[rows])

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """The given passages as a batch: of every side ids int32 [rows, length] and mask float32 [rows, length]."""
        lengths = [-(-int(side.lengths[rows].max()) // _STEP) * _STEP for side in self.sides]
        pairs = zip(self.sides, lengths, strict=True)
        return tuple(array for side, length in pairs for array in side.padded(rows, length))


def corpus_passages(
    corpus: Corpus, sides: Sequence[Sequence[tuple[str, int]]], tokenizer: Tokenizer, longest: int
) -> Passages:
    """Distinct passages of items that train has seen and that have every side; other items stay unread.

    Args:
        sides: of each side (`title` or `text`, most tokens taken of it), in order.
        longest: most tokens of a text, special ones included.
    """
    special = (tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id)
    texts = [text_inputs(corpus.text_features, fields, *special, longest) for fields in sides]
    items = np.flatnonzero(np.all([_seen_in_train(corpus), *(side.lengths > 2 for side in texts)], axis=0))
    numbers = [side.select(items).distinct()[1] for side in texts]
    _, first = np.unique(np.stack(numbers, axis=1), axis=0, return_index=True)
    items = items[np.sort(first)]
    return Passages(tuple(side.select(items) for side in texts), items)


def _seen_in_train(corpus: Corpus) -> np.ndarray:
    """bool [items]: in a train event, history or candidate list."""
    seen = np.zeros(corpus.items.num_rows, bool)
    seen[corpus.timelines.item[corpus.timelines.split == TRAIN]] = True
    impressions = corpus.impressions
    seen[impressions.item[ragged.repeat(impressions.offsets, impressions.split == TRAIN)]] = True
    return seen


def batches(lengths: np.ndarray, size: int, seed: int, done: int = 0) -> Iterator[np.ndarray]:
    """Rows of one batch after the other, without end: a function of the arguments and a batch's number alone.

    Every pass has each row once, in batches of `size` or a little less, so that all are about equal. Rows of similar
    length come together, which leaves little padding: the pass is shuffled, rows are sorted by length within windows
    of 32 batches, and the batches that this makes are shuffled.

    Args:
        lengths: tokens of each row.
        done: batches to leave out, those of steps that were taken before.
    """
    a_pass = -(-len(lengths) // size)
    for number in count(done // a_pass):
        yield from _of_pass(lengths, a_pass, np.random.default_rng([seed, 1, number]))[done % a_pass :]
        done = 0


def _of_pass(lengths: np.ndarray, batches: int, rng: np.random.Generator) -> list[np.ndarray]:
    bounds = np.arange(batches + 1) * len(lengths) // batches
    window = ragged.owner(bounds) // _WINDOW
    order = rng.permutation(len(lengths))
    order = order[np.lexsort((lengths[order], window))]
    parts = np.split(order, bounds[1:-1])
    return [parts[number] for number in rng.permutation(batches)]
