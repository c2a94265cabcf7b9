"""The source `hard`: the items of a pool that are most similar to the history, by the vectors at an epoch's start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Count
from interestrec.training.batches import accidental_hits, example_histories
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource
from interestrec.training.popularity_negatives import PopularityNegativeSettings

if TYPE_CHECKING:
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples


class HardNegativeSettings(PopularityNegativeSettings):
    """Keys of `hard`, which draws its pool and the easy negatives by popularity."""

    pool: Count = 200
    """Items drawn per batch from which `hard` chooses the most similar; more make negatives harder."""


class HardNegatives:
    """Half of an example's negatives are the items of the batch's pool most similar to the mean of its history.

    The other half are easy negatives, so that the softmax still contains them. Negatives are a function of the batch,
    its seed and the weights at the start of the epoch.
    """

    def __init__(
        self,
        sampler: NegativeSampler,
        pool: int,
        timelines: Timelines,
        max_history: int,
        vectors: Callable[[], np.ndarray],
    ) -> None:
        """
        Args:
            sampler: draws the pool and the easy negatives.
            pool: number of draws for the pool of a batch, which may repeat.
            vectors: returns the vectors of all texts with the current weights, float32 [texts, width].
        """
        self.sampler = sampler
        self.pool = pool
        self.timelines = timelines
        self.max_history = max_history
        self.vectors = vectors
        self._vectors = np.zeros((0, 0), np.float32)

    def begin_epoch(self) -> None:
        """Compute the vectors by which the epoch's negatives are chosen."""
        self._vectors = self.vectors()

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """Draw negatives, int32 [examples, count]: hard ones by descending similarity, then easy ones."""
        easy = self.sampler.draw(examples, rng)
        pool = replace(self.sampler, count=self.pool).draw(examples.select(np.zeros(1, np.int64)), rng)[0]
        pool = pool[np.sort(np.unique(pool, return_index=True)[1])]  # draw order breaks ties
        similarity = self._means(examples) @ self._vectors[pool].T
        similarity[accidental_hits(np.broadcast_to(pool, similarity.shape), examples, self.timelines)] = -np.inf
        hard_count = min((self.sampler.count + 1) // 2, len(pool))
        hardest = np.argsort(-similarity, axis=1, kind="stable")[:, :hard_count]
        return np.concatenate([pool[hardest], easy[:, hard_count:]], axis=1)

    def _means(self, examples: Examples) -> np.ndarray:
        """Return the mean vector of each history, float32 [examples, width]; zeros if it is empty."""
        history, intensity = example_histories(examples, self.timelines, self.max_history)
        present = (intensity > 0).astype(np.float32)
        sums = np.einsum("el,elw->ew", present, self._vectors[history])
        return sums / np.maximum(present.sum(axis=1, keepdims=True), 1.0)

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Return zeros; see NegativeSampler."""
        return self.sampler.log_rate(items)


def hard_negatives(inputs: NegativeInputs, settings: HardNegativeSettings) -> HardNegatives:
    """Create a source whose pool and easy negatives are drawn in proportion to popularity^exponent."""
    sampler = NegativeSampler.from_popularity(inputs.popularity, inputs.count, settings.exponent)
    return HardNegatives(sampler, settings.pool, inputs.timelines, inputs.max_history, inputs.vectors)


HARD = NegativeSource(hard_negatives, "chooses half of them as most similar to the history", HardNegativeSettings)
