"""A sampler of negatives, partly by popularity and partly alike, with the rate at which each item is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.training.negative_source import SharedNegatives

if TYPE_CHECKING:
    from interestrec.training.examples import Examples


@dataclass(frozen=True)
class NegativeSampler:
    """Draws the negatives of a batch: `count` per event, up to `most` per batch.

    Draws that name an item twice count once. With n draws, of which n_p are by popularity and n_u alike, a batch has
    item i at the rate 1 − (1 − p_i)^n_p (1 − u)^n_u. Where a batch could draw as many items as there are, it gets all
    of them, and the softmax is that over the catalogue.
    """

    popular: np.ndarray  # float64 [items], probabilities of draws by popularity; 0 for items that are never drawn
    popular_share: float  # of the draws; the others draw all items that can be drawn alike
    count: int  # per event
    most: int  # per batch
    begin_epoch = None

    @classmethod
    def from_popularity(
        cls, popularity: np.ndarray, count: int, most: int, exponent: float = 1.0, popular_share: float = 1.0
    ) -> NegativeSampler:
        """Create a sampler whose draws by popularity are in proportion to popularity^exponent, float64 [items].

        Items without popularity are never drawn, because they would always be negatives.
        """
        weights = np.where(popularity > 0, np.maximum(popularity, 1e-300) ** exponent, 0.0)
        return cls(weights / max(weights.sum(), 1e-300), popular_share, count, most)

    def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
        """See Negatives."""
        drawable = np.flatnonzero(self.popular > 0)
        draws = min(self.count * len(examples.item), self.most)
        if draws >= len(drawable):
            return SharedNegatives(drawable.astype(np.int32), np.zeros(len(drawable), np.float32))
        popular_draws = round(draws * self.popular_share)
        alike_draws = draws - popular_draws
        cumulative = np.cumsum(self.popular[drawable])
        by_popularity = np.searchsorted(cumulative, rng.random(popular_draws) * cumulative[-1], side="right")
        alike = rng.integers(0, len(drawable), alike_draws)
        chosen = np.unique(np.concatenate([np.minimum(by_popularity, len(drawable) - 1), alike]))
        p = np.minimum(self.popular[drawable[chosen]], 1 - 1e-12)
        log_missing = popular_draws * np.log1p(-p) + alike_draws * np.log1p(-1.0 / len(drawable))
        log_rate = np.log(-np.expm1(log_missing))
        return SharedNegatives(drawable[chosen].astype(np.int32), log_rate.astype(np.float32))
