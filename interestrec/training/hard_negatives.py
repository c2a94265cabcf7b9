"""The source `hard`: the items of a pool that are most similar to a history, by the vectors at an epoch's start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Count
from interestrec.training.batches import accidental_hits
from interestrec.training.negative_sampler import NegativeSampler
from interestrec.training.negative_source import NegativeInputs, NegativeSource, SharedNegatives
from interestrec.training.padded_histories import example_histories
from interestrec.training.popularity_negatives import PopularityNegativeSettings

if TYPE_CHECKING:
    from interestrec.corpus.store import Timelines
    from interestrec.training.examples import Examples


class HardNegativeSettings(PopularityNegativeSettings):
    """Keys of `hard`, which draws its pool and the easy negatives by popularity."""

    pool: Count = 200
    """Items drawn per event from which `hard` chooses the most similar; more make negatives harder."""


class HardNegatives:
    """Half of a batch's negatives are those items of a pool that come closest to the mean of a history of the batch.

    The other half are easy negatives, so that the softmax still contains them. No rate is subtracted: hard negatives
    are meant to weigh more than their share of the catalogue. Negatives are a function of the batch, its seed and the
    weights at the start of the epoch.
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
            pool: number of draws per event for the pool of a batch, which may repeat.
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

    def draw(self, examples: Examples, rng: np.random.Generator) -> SharedNegatives:
        """See Negatives; hard ones are chosen by their highest similarity to an example that does not have them."""
        half = max(self.sampler.count // 2, 1)
        easy = replace(self.sampler, count=half).draw(examples, rng).items
        pool = replace(self.sampler, count=self.pool).draw(examples, rng).items
        similarity = self._means(examples) @ self._vectors[pool].T
        similarity[accidental_hits(pool, examples, self.timelines)] = -np.inf
        nearest = np.argsort(-similarity.max(axis=0), kind="stable")[: max(self.sampler.most // 2, 1)]
        hard = pool[nearest[: half * len(examples.item)]]
        items = np.unique(np.concatenate([hard, easy])).astype(np.int32)
        return SharedNegatives(items, np.zeros(len(items), np.float32))

    def _means(self, examples: Examples) -> np.ndarray:
        """Return the mean vector of each history, float32 [examples, width]; zeros if it is empty."""
        history, intensity = example_histories(examples, self.timelines, self.max_history)
        present = (intensity > 0).astype(np.float32)
        sums = np.einsum("el,elw->ew", present, self._vectors[history])
        return sums / np.maximum(present.sum(axis=1, keepdims=True), 1.0)


def hard_negatives(inputs: NegativeInputs, settings: HardNegativeSettings) -> HardNegatives:
    """Create a source whose pool and easy negatives are drawn in proportion to popularity^exponent."""
    sampler = NegativeSampler.from_popularity(inputs.popularity, inputs.count, inputs.most, settings.exponent)
    return HardNegatives(sampler, settings.pool, inputs.timelines, inputs.max_history, inputs.vectors)


HARD = NegativeSource(hard_negatives, "chooses half of them as most similar to the histories", HardNegativeSettings)
