"""A sampler of negatives by a power of popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np

if TYPE_CHECKING:
    from interestrec.training.examples import Examples


@dataclass(frozen=True)
class NegativeSampler:
    """Draws negatives by inverting a cumulative distribution.

    Logits are not corrected for their rate: negatives drawn as often as they are positives remove popularity from the
    score.
    """

    cumulative: np.ndarray  # float64 [items]
    count: int  # negatives per example
    begin_epoch = None

    @classmethod
    def from_popularity(cls, popularity: np.ndarray, count: int, exponent: float = 1.0) -> NegativeSampler:
        """Create a sampler of `count` negatives in proportion to popularity^exponent, float64 [items].

        Items without popularity are never drawn, because they would always be negatives.
        """
        return cls(np.cumsum(np.where(popularity > 0, popularity**exponent, 0.0)), count)

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """Draw negatives, int32 [examples, count]."""
        uniform = rng.random((len(examples), self.count)) * self.cumulative[-1]
        items = np.searchsorted(self.cumulative, uniform, side="right")
        return np.minimum(items, len(self.cumulative) - 1).astype(np.int32)

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Return zeros, as there is no correction."""
        return np.zeros(items.shape, np.float32)
