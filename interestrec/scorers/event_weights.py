"""EventWeights: the weight of an event or a history entry by its intensity, as evidence of interest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core.deferred_import import np
from interestrec.core.section import Fraction, Section
from interestrec.scorers.requests import Events

WEAK_EVIDENCE = [0.0, 0.1, 0.3, 1.0]  # values of the search space


class EvidenceSettings(Section):
    """The key that `item_knn`, `als` and `ease` share."""

    weak_evidence: Fraction = 0.3
    """Weight of events below `data.relevant_at`, such as views or low ratings, as a share of the weight of relevant
    ones, in proportion to their intensity; 0 counts relevant events alone."""


@dataclass(frozen=True)
class EventWeights:
    """Weighs intensities x: 1 if x ≥ relevant_from, otherwise weak · x / relevant_from."""

    relevant_from: float  # minimum relevant intensity
    weak: float = 0.0  # within [0, 1]

    def weigh(self, intensity: np.ndarray) -> np.ndarray:
        """Return the weights of intensities, float64 of the same shape within [0, 1]."""
        is_relevant = intensity >= self.relevant_from
        share = np.where(is_relevant, self.relevant_from, intensity).astype(np.float64) / self.relevant_from
        return np.where(is_relevant, 1.0, self.weak * share)

    def select(self, events: Events) -> tuple[Events, np.ndarray]:
        """Return the events with a weight above 0, and their weights, float64 [events]."""
        weight = self.weigh(events.intensity)
        kept = weight > 0
        return events.rows(kept), weight[kept]

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {"relevant_from": np.array(self.relevant_from), "weak_evidence": np.array(self.weak)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(float(arrays["relevant_from"]), float(arrays["weak_evidence"]))
