"""Every configured system over shared scorers, each with a prediction of intensity."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from interestrec.core import ragged
from interestrec.core.errors import NumericError
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import ONLY, OURS, TRAIN, WITHOUT
from interestrec.metrics.calibration import Isotonic, fit_isotonic
from interestrec.scorers import queries
from interestrec.scorers.queries import ImpressionQueries
from interestrec.scorers.registry import COMPONENTS, PREDICTORS
from interestrec.scorers.requests import Requests, Scorer
from interestrec.scoring import fit_blend, intensity_estimate
from interestrec.scoring.decision import Decision
from interestrec.scoring.fit_blend import BlendFit
from interestrec.scoring.impression_scores import impression_scores
from interestrec.scoring.intensity_estimate import IntensityEstimate
from interestrec.scoring.segments import BlendLists, SegmentBlend, SegmentWeights


class SystemScores(NamedTuple):
    """What one system says of a block; arrays have the block's shape."""

    system: str
    score: np.ndarray  # float64
    predicted: np.ndarray  # float32, intensity in [0, 1]
    components: dict[str, np.ndarray]  # float32 by name, of `interestrec` only


@dataclass(frozen=True)
class Ensemble:
    """The systems in order: a scorer's name or a decision over several."""

    scorers: Mapping[str, Scorer]
    systems: Mapping[str, str | Decision]
    predictions: Mapping[str, Isotonic | IntensityEstimate]  # by system
    described: Mapping[str, Any]  # what systems.json says about the fit of ours; empty where it takes no part

    def over(self, scorers: Mapping[str, Scorer], cold: np.ndarray) -> "Ensemble":
        """The same choices over refitted scorers; `cold` is bool [items], without events that they were fitted on."""
        systems = {
            name: system.refitted(cold) if isinstance(system, Decision) else system
            for name, system in self.systems.items()
        }
        return replace(self, scorers=scorers, systems=systems)

    def score_candidates(self, asked: ImpressionQueries, item: np.ndarray) -> Iterator[SystemScores]:
        """Each system's scores of the impressions' candidates `item`; every scorer is asked once."""
        parts = {
            name: scorer.score_candidates(asked.requests, asked.request_offsets, item)
            for name, scorer in self.scorers.items()
        }
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_candidates(parts, asked, item)
            else:
                score = parts[system].astype(np.float64)
            yield self._scores(name, score, parts)

    def score_catalogue(self, requests: Requests) -> Iterator[SystemScores]:
        """Each system's scores [requests, items]; every scorer is asked once."""
        parts = {name: scorer.score_catalogue(requests) for name, scorer in self.scorers.items()}
        for name, system in self.systems.items():
            if isinstance(system, Decision):
                score = system.score_catalogue(parts, requests)
            else:
                score = parts[system].astype(np.float64)
            yield self._scores(name, score, parts)

    def _scores(self, name: str, score: np.ndarray, parts: Mapping[str, np.ndarray]) -> SystemScores:
        if not np.isfinite(score).all():
            raise NumericError(
                f"system '{name}' gave a score that is not a finite number; check its inputs and settings"
            )
        predict = self.predictions[name]
        predicted = predict(parts) if isinstance(predict, IntensityEstimate) else predict(score)
        system = self.systems[name]
        if name != OURS or not isinstance(system, Decision):
            return SystemScores(name, score, predicted, {})
        return SystemScores(name, score, predicted, {part: parts[scorer] for part, scorer in system.components.items()})


class EnsembleConfig(NamedTuple):
    """What to line up."""

    systems: Sequence[str]
    components: Sequence[str]  # of `interestrec`
    estimators: Sequence[str]  # of its intensity, the first one alone where labels are few
    weights: Mapping[str, float] | None  # of components, those not named 0; None: learned
    ablation: str  # "none", "parts": components alone, or "full": and left out
    exclude_seen: bool  # whether the catalogue's lists leave out items of the history


def fit_ensemble(corpus: Corpus, wanted: EnsembleConfig, scorers: Mapping[str, Scorer], seed: int) -> Ensemble:
    """Fit weights and calibrations on valid_blend.

    Args:
        scorers: by their names in scorers/registry.py, fitted on train.
    """
    impression = queries.valid_impressions(corpus, select=False)
    parts = {name: impression_scores(corpus, scorer, impression) for name, scorer in scorers.items()}
    systems: dict[str, str | Decision] = {}
    described: dict[str, Any] = {}
    for name in wanted.systems:
        if name == OURS:
            ours, described = _fit_ours(corpus, wanted, scorers, parts, seed)
            systems |= ours
        else:
            systems[name] = name
    asked = queries.impression_queries(corpus, impression)
    label, item = corpus.impressions.label[asked.rows], corpus.impressions.item[asked.rows]
    mean = _mean_train_label(corpus)
    predictions: dict[str, Isotonic | IntensityEstimate] = {}
    for name, system in systems.items():
        if name == OURS and wanted.estimators:
            stacked = intensity_estimate.fit({e: parts[e] for e in wanted.estimators}, label)
            predictions[name] = stacked
            described["intensity"] = dict(stacked.weights)
        elif isinstance(system, str) and system in PREDICTORS:
            predictions[name] = IntensityEstimate({system: 1.0})
        else:
            score = system.score_candidates(parts, asked, item) if isinstance(system, Decision) else parts[system]
            predictions[name] = fit_isotonic(score, label, otherwise=mean)
    return Ensemble(scorers, systems, predictions, described)


def reference_ensemble(
    corpus: Corpus, described: Mapping[str, Any], scorers: Mapping[str, Scorer], cold: np.ndarray
) -> Ensemble:
    """Ours alone, as systems.json of a verified run describes it.

    Args:
        described: what that says of ours.
        scorers: by their names in scorers/registry.py, fitted on everything.
        cold: bool [items], without events that they were fitted on.
    """
    names = list(described["components"])
    within, whole = (described[protocol] for protocol in ("impressions", "catalogue"))
    decision = Decision(
        components=described["components"],
        of_candidates=_read_blend(within if within["fitted_on_lists"] else whole, names),
        of_catalogue=_read_blend(whole if whole["fitted_on_lists"] else within, names),
        known=queries.known_items(corpus),
        cold=cold,
    )
    return Ensemble(scorers, {OURS: decision}, {OURS: IntensityEstimate(described["intensity"])}, described)


def _read_blend(described: Mapping[str, Any], names: Sequence[str]) -> SegmentBlend:
    """The inverse of _describe."""

    def read(part: Mapping[str, Any]) -> SegmentWeights:
        warm = np.array([part["weights"][name] for name in names])
        if "cold_items" not in part:
            return SegmentWeights(warm, warm)
        cold = part["cold_items"]
        return SegmentWeights(warm, np.array([cold["weights"][name] for name in names]), cold["offset"])

    return SegmentBlend(read(described), read(described.get("new_users", described)), described["power"])


def _fit_ours(
    corpus: Corpus, wanted: EnsembleConfig, scorers: Mapping[str, Scorer], parts: Mapping[str, np.ndarray], seed: int
) -> tuple[dict[str, str | Decision], dict[str, Any]]:
    """The blend and, with an ablation, its parts; where a protocol has nothing to fit on, the other's weights serve."""
    behind = {name: COMPONENTS[name] for name in wanted.components}
    lists = {
        "impressions": fit_blend.of_impressions(corpus, [parts[scorer] for scorer in behind.values()]),
        "catalogue": fit_blend.of_catalogue(
            corpus, {name: scorers[scorer] for name, scorer in behind.items()}, wanted.exclude_seen, seed
        ),
    }
    decision, fits = _decide(corpus, behind, lists, wanted.weights)
    systems: dict[str, str | Decision] = {OURS: decision}
    alone = {name: scorer if scorer in wanted.systems else f"{ONLY}{name}" for name, scorer in behind.items()}
    described: dict[str, Any] = {"components": behind, "alone": {} if wanted.ablation == "none" else alone}
    for protocol, fitted in fits.items():
        described[protocol] = _describe(fitted, list(behind))
    if wanted.ablation != "none":
        systems |= {alone[name]: scorer for name, scorer in behind.items() if alone[name] not in wanted.systems}
    if wanted.ablation == "full" and len(behind) > 1:
        for left_out in behind:
            rest = {name: scorer for name, scorer in behind.items() if name != left_out}
            columns = [column for column, name in enumerate(behind) if name != left_out]
            fewer = {name: replace(given, features=given.features[:, columns]) for name, given in lists.items()}
            systems[f"{WITHOUT}{left_out}"] = _decide(corpus, rest, fewer, wanted.weights)[0]
    return systems, described


def _decide(
    corpus: Corpus,
    behind: Mapping[str, str],
    lists: Mapping[str, BlendLists],
    weights: Mapping[str, float] | None,
) -> tuple[Decision, dict[str, BlendFit]]:
    metrics = {"impressions": "auc", "catalogue": "ndcg@10"}
    fixed = None if weights is None else np.array([weights.get(name, 0.0) for name in behind])
    fits = {name: fit_blend.fit(list(behind), given, metrics[name], fixed) for name, given in lists.items()}
    within, whole = fits["impressions"], fits["catalogue"]
    decision = Decision(
        components=behind,
        of_candidates=(within if within.choice.lists else whole).choice.blend,
        of_catalogue=(whole if whole.choice.lists else within).choice.blend,
        known=queries.known_items(corpus),
        cold=corpus.cold_items(queries.VALID),
    )
    return decision, fits


def _describe(fit_ensemble: BlendFit, names: Sequence[str]) -> dict[str, Any]:
    """Weights by kind of user; those of cold items where they differ."""

    def told(weights: SegmentWeights) -> dict[str, Any]:
        warm, cold = (
            {name: round(float(weight), 6) for name, weight in zip(names, given, strict=True)}
            for given in (weights.warm, weights.cold)
        )
        if warm == cold:
            return {"weights": warm}
        return {"weights": warm, "cold_items": {"weights": cold, "offset": round(weights.offset, 6)}}

    blend = fit_ensemble.choice.blend
    return {
        **told(blend.known),
        **({} if blend.new is blend.known else {"new_users": told(blend.new)}),
        "power": blend.power,
        "segments": fit_ensemble.choice.segments,
        "fitted_on_lists": fit_ensemble.choice.lists,
        "held_out_losses": fit_ensemble.choice.held_out,
        "valid_blend": {fit_ensemble.metric: fit_ensemble.quality},
    }


def _mean_train_label(corpus: Corpus) -> float:
    train = ragged.repeat(corpus.impressions.offsets, corpus.impressions.split == TRAIN)
    known = corpus.impressions.label[train]
    known = known[~np.isnan(known)]
    return float(known.mean(dtype=np.float64)) if len(known) else 0.0
