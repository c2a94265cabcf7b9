"""Many random rankings at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.ranked_lists import RankedLists


@dataclass(frozen=True)
class Rankings:
    offsets: np.ndarray
    score: np.ndarray
    gain: np.ndarray  # 0 … 3, 0 = not relevant

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and gains of each list."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.score[start:stop], self.gain[start:stop]

    @property
    def ranked(self) -> RankedLists:
        return ranked_lists.rank_lists(self.offsets, self.score, self.gain > 0, self.gain)

    def values(self, name: str) -> np.ndarray:
        return ranking.metric(name)(self.ranked)

    def with_score(self, score: np.ndarray) -> "Rankings":
        return Rankings(self.offsets, score, self.gain)


def rankings(count: int, seed: int, tied: bool, longest: int = 25, levels: int = 7) -> Rankings:
    """Lists of 1 … `longest` rows; some hold one class only, some are shorter than any k.

    Args:
        tied: whether scores are of few `levels`, else all differ.
    """
    rng = np.random.default_rng(seed)
    length = rng.integers(1, longest + 1, count)
    offsets = np.concatenate([[0], np.cumsum(length)])
    n = offsets[-1]
    score = rng.integers(0, levels, n) / 8 if tied else rng.permutation(n) / n
    gain = rng.integers(1, 4, n) * (rng.random(n) < np.repeat(rng.random(count), length))
    return Rankings(offsets, score.astype(np.float64), gain.astype(np.float64))
