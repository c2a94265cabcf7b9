"""Ensemble: all systems over shared scorers, with scores and predicted intensities per block."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from interestrec.core.errors import NumericError
from interestrec.io.schemas import OURS
from interestrec.metrics.calibration import Isotonic
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scoring.decision import Decision
from interestrec.scoring.intensity_estimate import IntensityEstimate


class SystemScores(NamedTuple):
    """The scores of one system for a block; arrays have the shape of the block."""

    system: str
    score: np.ndarray  # float64
    predicted: np.ndarray  # float32, intensity in [0, 1]
    components: dict[str, np.ndarray]  # float32 by name; empty for systems other than `interestrec`


@dataclass(frozen=True)
class Ensemble:
    """The systems in order; a system is the name of a scorer or a decision over several scorers."""

    scorers: Mapping[str, Scorer]
    systems: Mapping[str, str | Decision]
    predictions: Mapping[str, Isotonic | IntensityEstimate]  # by system
    description: Mapping[str, Any]  # fit of `interestrec` for systems.json; empty if it is not ranked

    def with_scorers(self, scorers: Mapping[str, Scorer], cold_items: np.ndarray) -> "Ensemble":
        """Return the ensemble with refitted scorers; `cold_items`: bool [items], items without events in that fit."""
        systems = {
            name: system.with_cold_items(cold_items) if isinstance(system, Decision) else system
            for name, system in self.systems.items()
        }
        return replace(self, scorers=scorers, systems=systems)

    def score_candidates(self, query: ImpressionQueries, item: np.ndarray) -> Iterator[SystemScores]:
        """Yield the scores of each system for the impressions' candidates `item`; every scorer is called once."""
        parts = {
            name: scorer.score_candidates(query.requests, query.request_offsets, item)
            for name, scorer in self.scorers.items()
        }
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_candidates(parts, query, item)
            else:
                score = parts[system].astype(np.float64)
            yield self._scores(name, score, parts)

    def score_catalogue(self, requests: Requests) -> Iterator[SystemScores]:
        """Yield the scores of each system, [requests, items]; every scorer is called once."""
        parts = {}
        for name, scorer in self.scorers.items():
            parts[name] = scorer.score_catalogue(requests)
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_catalogue(parts, requests)
            else:
                score = parts[system].astype(np.float64)
            yield self._scores(name, score, parts)

    def _scores(self, name: str, score: np.ndarray, parts: Mapping[str, np.ndarray]) -> SystemScores:
        if not np.isfinite(score).all():
            raise NumericError(
                f"system '{name}' returned a score that is not a finite number; check its inputs and settings"
            )
        predict = self.predictions[name]
        predicted = predict(parts) if isinstance(predict, IntensityEstimate) else predict(score)
        system = self.systems[name]
        if name != OURS or not isinstance(system, Decision):
            return SystemScores(name, score, predicted, {})
        return SystemScores(name, score, predicted, {part: parts[scorer] for part, scorer in system.components.items()})
