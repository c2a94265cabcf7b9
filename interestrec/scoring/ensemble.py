"""Ensemble: all systems over shared scorers, with scores and predicted intensities per block."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import NumericError
from interestrec.io.schemas import OURS
from interestrec.metrics.calibration import Isotonic
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.intensity_estimate import IntensityEstimate


class SystemScores(NamedTuple):
    """The scores of one system for candidates, [candidates]."""

    system: str
    score: np.ndarray  # float64
    predicted: np.ndarray  # float32, intensity in [0, 1]
    components: dict[str, np.ndarray]  # float32 by name; empty for systems other than `interestrec`


class CatalogueScores(NamedTuple):
    """The scores of one system for all items, [requests, items]."""

    system: str
    score: np.ndarray  # float64
    components: dict[str, np.ndarray]  # float32 by name; empty for systems other than `interestrec`
    # From rows of requests, ascending, and items, int64 [pairs]: the predicted intensities, float32 [pairs] in [0, 1].
    predicted: Callable[[np.ndarray, np.ndarray], np.ndarray]


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

    def only(self, name: str) -> "Ensemble":
        """Return the ensemble of one system."""
        system = self.systems[name]
        names, prediction = _scorers_of(system), self.predictions[name]
        if isinstance(prediction, IntensityEstimate):
            names |= set(prediction.estimators)
        scorers = {key: scorer for key, scorer in self.scorers.items() if key in names}
        return replace(self, scorers=scorers, systems={name: system}, predictions={name: prediction})

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
            predict = self.predictions[name]
            predicted = predict(parts) if isinstance(predict, IntensityEstimate) else predict(_finite(name, score))
            yield SystemScores(name, _finite(name, score), predicted, self._components(name, parts))

    def score_catalogue(self, requests: Requests) -> Iterator[CatalogueScores]:
        """Yield the scores of each system, [requests, items]; every scorer that they are made of is called once."""
        needed = {scorer for system in self.systems.values() for scorer in _scorers_of(system)}
        parts = {}
        for name, scorer in self.scorers.items():
            if name in needed:
                parts[name] = scorer.score_catalogue(requests)
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_catalogue(parts, requests)
            else:
                score = parts[system].astype(np.float64)
            yield CatalogueScores(
                name, _finite(name, score), self._components(name, parts), self._predictor(name, score, parts, requests)
            )

    def _components(self, name: str, parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        system = self.systems[name]
        if name != OURS or not isinstance(system, Decision):
            return {}
        return {part: parts[scorer] for part, scorer in system.components.items()}

    def _predictor(
        self, name: str, score: np.ndarray, parts: Mapping[str, np.ndarray], requests: Requests
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Return what predicts intensities of pairs; lists are short, so estimators score their items alone."""
        predict = self.predictions[name]

        def predicted(row: np.ndarray, item: np.ndarray) -> np.ndarray:
            if not isinstance(predict, IntensityEstimate):
                return predict(score[row, item])
            offsets = ragged.from_owner(row, len(requests))
            of_pairs = {
                estimator: parts[estimator][row, item]
                if estimator in parts
                else self.scorers[estimator].score_candidates(requests, offsets, item)
                for estimator in predict.estimators
            }
            return predict(of_pairs)

        return predicted


def _scorers_of(system: str | Decision) -> set[str]:
    return {*voters(system.components).values()} if isinstance(system, Decision) else {system}


def _finite(name: str, score: np.ndarray) -> np.ndarray:
    """Return the scores of a system.

    Raises:
        NumericError: one is not a finite number.
    """
    if not np.isfinite(score).all():
        raise NumericError(
            f"system '{name}' returned a score that is not a finite number; check its inputs and settings"
        )
    return score
