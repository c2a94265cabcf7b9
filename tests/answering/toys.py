"""A recommender whose scores can be worked out by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interestrec.answering.recommender import Recommender
from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import OURS
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scoring.decision import Decision
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.intensity_estimate import IntensityEstimate
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.rules import Rules
from interestrec.scoring.segments import ItemWeights, SegmentBlend, SegmentWeights, uniform
from interestrec.scoring.write_lists import list_builder, table_layout
from tests.scoring.corpora import Event, write_event_log


@dataclass(frozen=True)
class Linear:
    """Scores by the sum of a row per event of the history, and a score of the item itself."""

    row: np.ndarray  # float64 [items of the history, items]
    own: np.ndarray  # float64 [items]

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        score = np.tile(self.own, (len(requests), 1))
        np.add.at(score, requests.owner, self.row[requests.item])
        return score.astype(np.float32)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        return self.score_catalogue(requests)[ragged.owner(offsets), item]


def linear(rng: np.random.Generator, items: int, density: float = 1.0) -> Linear:
    """Random effects of events on items, some of them 0."""
    return Linear(rng.normal(size=(items, items)) * (rng.random((items, items)) < density), rng.normal(size=items))


def recommender(
    path: Path,
    log: list[Event],
    users: int,
    scorers: dict[str, Scorer],
    blend: SegmentBlend | None = None,
    cold_items: np.ndarray | None = None,
    **rules: Any,
) -> Recommender:
    """A recommender whose components are all scorers; by default the first alone counts."""
    items = len(next(iter(scorers.values())).score_catalogue(_nobody())[0])
    corpus = Corpus(write_event_log(path, users, items, log), 0.5)
    cold = np.zeros(items, dtype=bool) if cold_items is None else cold_items
    first = ItemWeights(np.eye(len(scorers))[0])
    blend = blend or uniform(first)
    decision = Decision({name: name for name in scorers}, blend, blend, ~cold, cold)
    ensemble = Ensemble(scorers, {OURS: decision}, {OURS: IntensityEstimate({next(iter(scorers)): 0.0})}, {})
    settings: dict[str, Any] = {
        "seen": "out",
        "seen_penalty": 1.0,
        "eligible": np.ones(items, dtype=bool),
        "per_category": None,
        "diversity": 0.0,
        "pool": 50,
    }
    applied = Rules(**{**settings, **rules})
    layout = table_layout(corpus, ensemble, applied, list(scorers), 1)
    return Recommender(corpus, ensemble, applied, list_builder(layout, applied, RankSettings(top_k=items), None))


def random_blend(rng: np.random.Generator, voters: int) -> SegmentBlend:
    """Weights of both kinds of users; cold items have their own for one of them."""

    def weights() -> ItemWeights:
        return ItemWeights(rng.random(voters) * (rng.random(voters) < 0.8), float(rng.choice([0.5, 1.0])))

    known = SegmentWeights(weights(), weights(), scale=float(rng.uniform(0.5, 2)), offset=float(rng.normal()))
    return SegmentBlend(known, SegmentWeights(weights()))


def _nobody() -> Requests:
    nothing = np.zeros(0, np.int32)
    one = np.zeros(1, np.int64)
    return Requests(one, np.zeros(2, np.int64), nothing, nothing.astype(np.float32), one[:0], one)
