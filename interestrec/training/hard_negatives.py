"""Negatives that the model takes for positives: the most similar of a pool, by the vectors at an epoch's start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from interestrec.core.deferred_import import np
from interestrec.core.section import Count
from interestrec.training.batches import history_of, taken
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
    """Half of an example's negatives are those of a pool, drawn for the batch, that are most similar to the mean of
    its history; the others are as drawn, so that the softmax goes on seeing what is easy.

    A function of the batch, its seed and the weights at the start of the epoch.
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
            sampler: draws the pool and the easy ones.
            pool: items drawn for a batch, some of them several times.
            vectors: of all texts with the weights as they are, float32 [texts, width].
        """
        self.sampler = sampler
        self.pool = pool
        self.timelines = timelines
        self.max_history = max_history
        self.vectors = vectors
        self._vectors = np.zeros((0, 0), np.float32)

    def begin(self) -> None:
        """An epoch begins: its negatives are chosen by the weights as they are now."""
        self._vectors = self.vectors()

    def draw(self, examples: Examples, rng: np.random.Generator) -> np.ndarray:
        """int32 [examples, count], the hard ones first, the most similar at the front."""
        drawn = self.sampler.draw(examples, rng)
        pool = replace(self.sampler, count=self.pool).draw(examples.select(np.zeros(1, np.int64)), rng)[0]
        pool = pool[np.sort(np.unique(pool, return_index=True)[1])]  # as drawn, which decides between equals
        similar = self._means(examples) @ self._vectors[pool].T
        similar[taken(np.broadcast_to(pool, similar.shape), examples, self.timelines)] = -np.inf
        most = min((self.sampler.count + 1) // 2, len(pool))
        hardest = np.argsort(-similar, axis=1, kind="stable")[:, :most]
        return np.concatenate([pool[hardest], drawn[:, most:]], axis=1)

    def _means(self, examples: Examples) -> np.ndarray:
        """Mean vector of each history, float32 [examples, width]; zeros where it is empty."""
        history, intensity = history_of(examples, self.timelines, self.max_history)
        present = (intensity > 0).astype(np.float32)
        sums = np.einsum("el,elw->ew", present, self._vectors[history])
        return sums / np.maximum(present.sum(axis=1, keepdims=True), 1.0)

    def log_rate(self, items: np.ndarray) -> np.ndarray:
        """Zeros: see Sampler."""
        return self.sampler.log_rate(items)


def hard_negatives(inputs: NegativeInputs, settings: HardNegativeSettings) -> HardNegatives:
    """Those of a pool that are most similar to the history by the model's own vectors, among others."""
    sampler = NegativeSampler.of(inputs.popularity, inputs.count, settings.exponent)
    return HardNegatives(sampler, settings.pool, inputs.timelines, inputs.max_history, inputs.vectors)


HARD = NegativeSource(hard_negatives, "chooses half of them as most similar to the history", HardNegativeSettings)
