"""Fits an ensemble: weights and calibrations on valid_blend, and their description for systems.json."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import ONLY, OURS, TRAIN, WITHOUT
from interestrec.metrics.calibration import Isotonic, fit_isotonic
from interestrec.scorers import queries
from interestrec.scorers.registry import component_scorer, scorer_definition
from interestrec.scorers.requests import Scorer
from interestrec.scoring import fit_blend, intensity_estimate
from interestrec.scoring.decision import Decision
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_blend import BlendFit
from interestrec.scoring.impression_scores import impression_scores
from interestrec.scoring.intensity_estimate import IntensityEstimate
from interestrec.scoring.rank_settings import RankSettings
from interestrec.scoring.segments import BlendLists, SegmentBlend, SegmentWeights


def fit_ensemble(corpus: Corpus, settings: RankSettings, scorers: Mapping[str, Scorer], seed: int) -> Ensemble:
    """Fit weights and calibrations on valid_blend.

    Args:
        scorers: fitted on train, by their names in scorers/registry.py.
    """
    impression = queries.valid_impressions(corpus, select=False)
    parts = {name: impression_scores(corpus, scorer, impression) for name, scorer in scorers.items()}
    systems: dict[str, str | Decision] = {}
    description: dict[str, Any] = {}
    for name in settings.systems:
        if name == OURS:
            blends, description = _fit_blends(corpus, settings, scorers, parts, seed)
            systems |= blends
        else:
            systems[name] = name
    query = queries.impression_queries(corpus, impression)
    label, item = corpus.impressions.label[query.rows], corpus.impressions.item[query.rows]
    mean = _mean_train_label(corpus)
    predictions: dict[str, Isotonic | IntensityEstimate] = {}
    for name, system in systems.items():
        if name == OURS and settings.estimators:
            estimate = intensity_estimate.fit({part: parts[part] for part in settings.estimators}, label)
            predictions[name] = estimate
            description["intensity"] = dict(estimate.weights)
        elif isinstance(system, str) and scorer_definition(system).predicts_intensity:
            predictions[name] = IntensityEstimate({system: 1.0})
        else:
            score = system.score_candidates(parts, query, item) if isinstance(system, Decision) else parts[system]
            predictions[name] = fit_isotonic(score, label, otherwise=mean)
    return Ensemble(scorers, systems, predictions, description)


def reference_ensemble(
    corpus: Corpus, description: Mapping[str, Any], scorers: Mapping[str, Scorer], cold_items: np.ndarray
) -> Ensemble:
    """Return an ensemble of `interestrec` alone with the weights of a reference run.

    Args:
        description: entry of `interestrec` in systems.json of the reference run.
        scorers: fitted on all events, by their names in scorers/registry.py.
        cold_items: bool [items], items without events in the fit of the scorers.
    """
    names = list(description["components"])
    impressions, catalogue = (description[protocol] for protocol in ("impressions", "catalogue"))
    decision = Decision(
        components=description["components"],
        candidate_blend=_read_blend(impressions if impressions["fitted_on_lists"] else catalogue, names),
        catalogue_blend=_read_blend(catalogue if catalogue["fitted_on_lists"] else impressions, names),
        known_items=queries.known_items(corpus),
        cold_items=cold_items,
    )
    return Ensemble(scorers, {OURS: decision}, {OURS: IntensityEstimate(description["intensity"])}, description)


def _read_blend(description: Mapping[str, Any], names: Sequence[str]) -> SegmentBlend:
    """Restore a blend from the result of _describe_blend."""

    def read(part: Mapping[str, Any]) -> SegmentWeights:
        warm = np.array([part["weights"][name] for name in names])
        if "cold_items" not in part:
            return SegmentWeights(warm, warm)
        cold = part["cold_items"]
        return SegmentWeights(warm, np.array([cold["weights"][name] for name in names]), cold["offset"])

    return SegmentBlend(read(description), read(description.get("new_users", description)), description["power"])


def _fit_blends(
    corpus: Corpus, settings: RankSettings, scorers: Mapping[str, Scorer], parts: Mapping[str, np.ndarray], seed: int
) -> tuple[dict[str, str | Decision], dict[str, Any]]:
    """Return the blend, and with an ablation its parts, as systems, and the description of the blend."""
    components = {name: component_scorer(name) for name in settings.components}
    component_scorers = {name: scorers[scorer] for name, scorer in components.items()}
    exclude_seen = settings.rules.seen == "out"
    lists = {
        "impressions": fit_blend.of_impressions(corpus, [parts[scorer] for scorer in components.values()]),
        "catalogue": fit_blend.of_catalogue(corpus, component_scorers, exclude_seen, seed),
    }
    weights = settings.blend.fixed_weights
    decision, fits = _fit_decision(corpus, components, lists, weights)
    systems: dict[str, str | Decision] = {OURS: decision}
    single = {name: scorer if scorer in settings.systems else f"{ONLY}{name}" for name, scorer in components.items()}
    description: dict[str, Any] = {"components": components, "alone": {} if settings.ablation == "none" else single}
    for protocol, blend_fit in fits.items():
        description[protocol] = _describe_blend(blend_fit, list(components))
    if settings.ablation != "none":
        systems |= {single[name]: scorer for name, scorer in components.items() if single[name] not in settings.systems}
    if settings.ablation == "full" and len(components) > 1:
        for omitted in components:
            others = {name: scorer for name, scorer in components.items() if name != omitted}
            columns = [column for column, name in enumerate(components) if name != omitted]
            reduced = {name: replace(part, features=part.features[:, columns]) for name, part in lists.items()}
            systems[f"{WITHOUT}{omitted}"] = _fit_decision(corpus, others, reduced, weights)[0]
    return systems, description


def _fit_decision(
    corpus: Corpus,
    components: Mapping[str, str],
    lists: Mapping[str, BlendLists],
    weights: Mapping[str, float] | None,
) -> tuple[Decision, dict[str, BlendFit]]:
    """Return the decision and its fits by protocol; a protocol without lists uses the weights of the other one."""
    metrics = {"impressions": "auc", "catalogue": "ndcg@10"}
    fixed_weights = None if weights is None else np.array([weights.get(name, 0.0) for name in components])
    fits = {name: fit_blend.fit(list(components), part, metrics[name], fixed_weights) for name, part in lists.items()}
    impressions, catalogue = fits["impressions"], fits["catalogue"]
    decision = Decision(
        components=components,
        candidate_blend=(impressions if impressions.choice.lists else catalogue).choice.blend,
        catalogue_blend=(catalogue if catalogue.choice.lists else impressions).choice.blend,
        known_items=queries.known_items(corpus),
        cold_items=corpus.cold_items(queries.VALID),
    )
    return decision, fits


def _describe_blend(blend_fit: BlendFit, names: Sequence[str]) -> dict[str, Any]:
    """Return the weights by kind of user, and those of cold items if they differ, for systems.json."""

    def describe(weights: SegmentWeights) -> dict[str, Any]:
        warm, cold = (
            {name: round(float(weight), 6) for name, weight in zip(names, values, strict=True)}
            for values in (weights.warm, weights.cold)
        )
        if warm == cold:
            return {"weights": warm}
        return {"weights": warm, "cold_items": {"weights": cold, "offset": round(weights.offset, 6)}}

    blend = blend_fit.choice.blend
    return {
        **describe(blend.known),
        **({} if blend.new is blend.known else {"new_users": describe(blend.new)}),
        "power": blend.power,
        "segments": blend_fit.choice.segments,
        "fitted_on_lists": blend_fit.choice.lists,
        "held_out_losses": blend_fit.choice.held_out,
        "valid_blend": {blend_fit.metric: blend_fit.quality},
    }


def _mean_train_label(corpus: Corpus) -> float:
    train = ragged.repeat(corpus.impressions.offsets, corpus.impressions.split == TRAIN)
    known = corpus.impressions.label[train]
    known = known[~np.isnan(known)]
    return float(known.mean(dtype=np.float64)) if len(known) else 0.0
