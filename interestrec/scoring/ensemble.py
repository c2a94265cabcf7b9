"""Ensemble: all systems over shared scorers, with scores and predicted intensities per block."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
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

# From the name of a scorer, rows of requests and items, int64 [pairs]: the scores, float32; None: it was not asked.
ScoresAt = Callable[[str, np.ndarray, np.ndarray], np.ndarray | None]


class SystemScores(NamedTuple):
    """The scores of one system for candidates, [candidates]."""

    system: str
    score: np.ndarray  # float64
    predicted: np.ndarray  # float32, intensity in [0, 1]
    components: dict[str, np.ndarray]  # float32 by name; empty for systems other than `interestrec`


@dataclass(frozen=True)
class CatalogueScores:
    """The scores of one system for the items of the catalogue, or for candidates among them."""

    system: str
    score: np.ndarray  # float64 [requests, columns]; −inf where a candidate is missing
    # From rows of requests, ascending, and items, int64 [pairs]: scores by component, float32 [pairs]; empty for
    # systems other than `interestrec`.
    components: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
    # From rows of requests, ascending, items and scores, [pairs]: the predicted intensities, float32 in [0, 1].
    predicted: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    item: np.ndarray | None = None  # int64 [requests, columns], in tie order, −1 for none; None: a column is an item

    def items(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return the items of columns, int64 in the shape of `column`."""
        return column if self.item is None else self.item[row, column]


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
        names, prediction = scorers_of(system), self.predictions[name]
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
            predicted = predict(parts) if isinstance(predict, IntensityEstimate) else predict(finite(name, score))
            shown = {component: parts[scorer] for component, scorer in self._components(name).items()}
            yield SystemScores(name, finite(name, score), predicted, shown)

    def score_catalogue(self, requests: Requests) -> Iterator[CatalogueScores]:
        """Yield the scores of each system, [requests, items]; every scorer that they are made of is called once."""
        needed = {scorer for system in self.systems.values() for scorer in scorers_of(system)}
        parts = {}
        for name, scorer in self.scorers.items():
            if name in needed:
                parts[name] = scorer.score_catalogue(requests)
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_catalogue(parts, requests)
            else:
                score = parts[system].astype(np.float64)
            scores_at = partial(_at, parts)
            yield CatalogueScores(
                system=name,
                score=finite(name, score),
                components=self.components_at(name, scores_at),
                predicted=self.predictor(name, scores_at, requests),
            )

    def _components(self, name: str) -> Mapping[str, str]:
        """Return the scorers of the components that are shown of a system, by component."""
        system = self.systems[name]
        return system.components if name == OURS and isinstance(system, Decision) else {}

    def components_at(self, name: str, at: ScoresAt) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
        """Return what gives the scores by component of pairs; see CatalogueScores."""

        def components(row: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
            scores = {component: at(scorer, row, item) for component, scorer in self._components(name).items()}
            return {component: score for component, score in scores.items() if score is not None}

        return components

    def predictor(
        self, name: str, at: ScoresAt, requests: Requests
    ) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """Return what predicts intensities of pairs; lists are short, so estimators score their items alone."""
        predict = self.predictions[name]

        def predicted(row: np.ndarray, item: np.ndarray, score: np.ndarray) -> np.ndarray:
            if not isinstance(predict, IntensityEstimate):
                return predict(score)
            of_pairs = {}
            for estimator in predict.estimators:
                known = at(estimator, row, item)
                if known is None:
                    offsets = ragged.from_owner(row, len(requests))
                    known = self.scorers[estimator].score_candidates(requests, offsets, item)
                of_pairs[estimator] = known
            return predict(of_pairs)

        return predicted


def _at(parts: Mapping[str, np.ndarray], scorer: str, row: np.ndarray, item: np.ndarray) -> np.ndarray | None:
    return parts[scorer][row, item] if scorer in parts else None


def scorers_of(system: str | Decision) -> set[str]:
    """Return the names of the scorers that a system is made of."""
    return {*voters(system.components).values()} if isinstance(system, Decision) else {system}


def finite(name: str, score: np.ndarray) -> np.ndarray:
    """Return the scores of a system.

    Raises:
        NumericError: one is not a finite number.
    """
    if not np.isfinite(score).all():
        raise NumericError(
            f"system '{name}' returned a score that is not a finite number; check its inputs and settings"
        )
    return score
