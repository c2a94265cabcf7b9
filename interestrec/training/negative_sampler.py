"""Negatives drawn by a power of popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np

if TYPE_CHECKING:
    from interestrec.training.examples import Examples


@dataclass(frozen=True)
class NegativeSampler:
    """Draws negatives from the inverse of a cumulative distribution.

    Their rate is not corrected for: drawn as often as they are positives, they take popularity out of the score.
    """

    cumulative: np.ndarray  # float64 [items]
    count: int  # negatives per example
    begin = None

    @classmethod
    def of(cls, popularity: np.ndarray, count: int, exponent: float = 1.0) -> NegativeSampler:
        """A sampler of `count` negatives in proportion to popularity^exponent, float64 [items].

        Items without popularity are never drawn: they would only ever be negatives.
        """
        return cls(np.cumsum(np.where(popularity > 0, popularity**exponent, 0.0)), count)

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """int32 [examples, count]."""
        uniform = rng.random((len(examples), self.count)) * self.cumulative[-1]
        drawn = np.searchsorted(self.cumulative, uniform, side="right")
        return np.minimum(drawn, len(self.cumulative) - 1).astype(np.int32)

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Zeros."""
        return np.zeros(items.shape, np.float32)
