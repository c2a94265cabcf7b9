"""Batches of rows of similar length, in a random order that a resumed run can continue."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from interestrec.core import ragged

_BATCHES_PER_WINDOW = 32  # number of batches whose rows are sorted by length together


def length_batches(lengths: np.ndarray, size: int, seed: int, done: int = 0) -> Iterator[np.ndarray]:
    """Yield the rows of batches without end, as a function of the arguments and the batch's number alone.

    A pass contains each row once, in batches of nearly equal size, at most `size`. To limit padding, batches consist of
    rows of similar length: a pass is shuffled, rows are sorted by length within windows of 32 batches, and the
    resulting batches are shuffled.

    Args:
        lengths: of each row, such as its number of tokens.
        done: number of completed batches, which are skipped.
    """
    batches_per_pass = -(-len(lengths) // size)
    for number in count(done // batches_per_pass):
        yield from _one_pass(lengths, batches_per_pass, np.random.default_rng([seed, 1, number]))[
            done % batches_per_pass :
        ]
        done = 0


def _one_pass(lengths: np.ndarray, batches: int, rng: np.random.Generator) -> list[np.ndarray]:
    bounds = np.arange(batches + 1) * len(lengths) // batches
    window = ragged.owner(bounds) // _BATCHES_PER_WINDOW
    order = rng.permutation(len(lengths))
    order = order[np.lexsort((lengths[order], window))]
    parts = np.split(order, bounds[1:-1])
    return [parts[number] for number in rng.permutation(batches)]
