"""Weights of components by segment: users with and without a history, items with and without events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interestrec.core.row_products import one_blas_thread
from interestrec.scorers.catalogue_rows import centred_rows
from interestrec.scoring.blend import Powers, raise_to

_LAST_RESORT = 1e-6  # share of all components together that only decides between otherwise equal scores
_CELLS = 1 << 16  # of a few rows that are blended together
_LAST_OF_ALL = 1e-9  # of a voter that is no component: popularity, where no component tells candidates apart


@dataclass(frozen=True)
class ItemWeights:
    """Weights of the voters for one kind of items."""

    values: np.ndarray  # float64 [voters], ≥ 0
    power: float = 1.0  # of the standardised scores

    def utility(self, parts: Powers) -> np.ndarray:
        """The weighted sum; float64 in the shape of the parts."""
        powered = parts[self.power]
        total = np.zeros_like(powered[0])
        for value, part in zip(self.values, powered, strict=True):
            if value:
                total += value * part
        return total

    def term(self, number: int, centred: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """The term of one voter, float64 [rows, items], from what `centred_rows` returns, which it overwrites."""
        centred = raise_to(centred, self.power)
        centred *= (self.values[number] * deviation**-self.power)[:, None]
        return centred


def item_weights(weights: np.ndarray, quality: np.ndarray, power: float, voters: int) -> ItemWeights:
    """Return weights that sum to 1, so that every voter decides where those with more weight see no difference.

    A component that gives all candidates of a list the same score has a standardised score of 0, thus no vote. Where
    no weighted component tells two items apart, the others decide by their quality, then popularity: the tie order
    never does while any voter sees a difference.

    Args:
        weights: float64 [components], ≥ 0; all 0 = equal weights.
        quality: float64 [components], ≥ 0, the metric of each component alone.
        voters: number of components, plus 1 if a further scorer breaks the last ties.
    """
    count = len(weights)
    values = np.full(voters, _LAST_OF_ALL)
    values[:count] = _share(weights) + _LAST_RESORT * _share(quality + 1e-3)
    return ItemWeights(values, power)


def _share(weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1.0 / max(len(weights), 1))


@dataclass(frozen=True)
class SegmentWeights:
    """Of one kind of users."""

    warm: ItemWeights
    cold: ItemWeights | None = None  # None: cold items are weighed like warm ones
    scale: float = 1.0  # of the weighted sum of cold items
    offset: float = 0.0  # added to cold items

    def __call__(self, parts: Powers, cold: np.ndarray) -> np.ndarray:
        """Return the score; float64 in the shape of the parts.

        Args:
            cold: bool, items without events; broadcasts against the parts.
        """
        score = self.warm.utility(parts)
        if self.cold is None:
            return score
        return np.where(cold, self.scale * self.cold.utility(parts) + self.offset, score)

    def of_rows(self, scores: Sequence[np.ndarray], over: np.ndarray, cold_items: np.ndarray) -> np.ndarray:
        """See SegmentBlend; `scores` of requests of this kind of users."""
        columns = np.flatnonzero(cold_items) if self.cold is not None else np.zeros(0, np.int64)
        total, of_cold = np.zeros(scores[0].shape), np.zeros((len(scores[0]), len(columns)))
        for number, score in enumerate(scores):
            centred, _, deviation = centred_rows(score, over)
            if self.cold is not None and len(columns):
                of_cold += self.cold.term(number, np.take(centred, columns, axis=1), deviation)
            total += self.warm.term(number, centred, deviation)
        total[:, columns] = self.scale * of_cold + self.offset
        return total


@dataclass(frozen=True)
class SegmentBlend:
    """Weights for users with a history and for those without."""

    known: SegmentWeights
    new: SegmentWeights

    def __call__(self, standardised: Sequence[np.ndarray], cold: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Return the score; float64 in the shape of the voters' scores.

        Args:
            standardised: of each voter, [rows] or [requests, items].
            cold: bool, items without events; broadcasts against the scores.
            new: bool [rows] or [requests], users without a history.
        """
        score = np.empty(standardised[0].shape)
        cold = np.broadcast_to(cold, score.shape)
        for rows, weights in ((~new, self.known), (new, self.new)):
            if rows.any():
                score[rows] = weights(Powers([part[rows] for part in standardised]), cold[rows])
        return score

    @one_blas_thread()
    def of_rows(
        self, scores: Sequence[np.ndarray], over: np.ndarray, cold_items: np.ndarray, new: np.ndarray
    ) -> np.ndarray:
        """Return the score of requests for the catalogue, float64 [requests, items], up to rounding that of `__call__`.

        Scores are standardised, raised and added up a few rows at a time, which stay in the processor's cache, and one
        voter after another.

        Args:
            scores: of each voter, float [requests, items], not standardised.
            over: bool [items], see `standardise_rows`.
            cold_items: bool [items], items without events.
            new: bool [requests], users without a history.
        """
        total = np.empty(scores[0].shape)
        step = max(_CELLS // len(over), 1)
        for rows, weights in ((np.flatnonzero(~new), self.known), (np.flatnonzero(new), self.new)):
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                total[part] = weights.of_rows([score[part] for score in scores], over, cold_items)
        return total


def uniform(weights: ItemWeights) -> SegmentBlend:
    """The same weights for everyone and everything."""
    of_all = SegmentWeights(weights)
    return SegmentBlend(of_all, of_all)
