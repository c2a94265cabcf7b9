"""Fits an ensemble: weights and calibrations on valid_blend, and their description for systems.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.core.progress import log
from interestrec.corpus.store import Corpus
from interestrec.io.schemas import ONLY, OURS, TRAIN, WITHOUT
from interestrec.metrics.calibration import Isotonic, fit_isotonic
from interestrec.scorers import queries
from interestrec.scorers.modality_intensity import is_modality_name
from interestrec.scorers.registry import component_scorer, scorer_definition
from interestrec.scorers.requests import Scorer
from interestrec.scoring import intensity_estimate
from interestrec.scoring.blend_description import SEGMENTS, describe_blend, read_blend
from interestrec.scoring.catalogue_evidence import CatalogueEvidence
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_blend import BlendFit, fit_blend, fixed_blend
from interestrec.scoring.impression_evidence import ImpressionEvidence, impression_evidence
from interestrec.scoring.impression_scores import impression_scores
from interestrec.scoring.intensity_estimate import IntensityEstimate
from interestrec.scoring.rank_settings import RankSettings


def fit_ensemble(
    corpus: Corpus, settings: RankSettings, scorers: Mapping[str, Scorer], lists: CatalogueLists
) -> Ensemble:
    """Fit weights and calibrations on valid_blend.

    Args:
        scorers: fitted on train, by their names in scorers/registry.py.
        lists: the lists of valid_blend users over the catalogue.
    """
    impression = queries.valid_impressions(corpus, select=False)
    parts = {name: impression_scores(corpus, scorer, impression) for name, scorer in scorers.items()}
    systems: dict[str, str | Decision] = {}
    description: dict[str, Any] = {}
    for name in settings.systems:
        if name == OURS:
            blends, description = _fit_blends(corpus, settings, scorers, parts, lists)
            systems |= blends
        else:
            systems[name] = name
    systems |= {name: name for name in scorers if is_modality_name(name)}
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
    names = list(voters(description["components"]))
    impressions, catalogue = (description[protocol] for protocol in ("impressions", "catalogue"))
    decision = Decision(
        components=description["components"],
        candidate_blend=read_blend(impressions if impressions["lists"] else catalogue, names),
        catalogue_blend=read_blend(catalogue if catalogue["lists"] else impressions, names),
        known_items=queries.known_items(corpus),
        cold_items=cold_items,
    )
    return Ensemble(scorers, {OURS: decision}, {OURS: IntensityEstimate(description["intensity"])}, description)


def _fit_blends(
    corpus: Corpus,
    settings: RankSettings,
    scorers: Mapping[str, Scorer],
    parts: Mapping[str, np.ndarray],
    lists: CatalogueLists,
) -> tuple[dict[str, str | Decision], dict[str, Any]]:
    """Return the blend, and with an ablation its parts, as systems, and the description of the blend."""
    components = {name: component_scorer(name) for name in settings.components}
    voting = voters(components)
    evidence = (
        impression_evidence(corpus, [parts[scorer] for scorer in voting.values()]),
        CatalogueEvidence(lists, [scorers[scorer] for scorer in voting.values()], queries.known_items(corpus)),
    )
    weights = settings.blend.fixed_weights
    decision, fits = _fit_decision(corpus, components, evidence, weights)
    systems: dict[str, str | Decision] = {OURS: decision}
    single = {name: scorer if scorer in settings.systems else f"{ONLY}{name}" for name, scorer in components.items()}
    description: dict[str, Any] = {"components": components, "alone": {} if settings.ablation == "none" else single}
    for protocol, fitted in fits.items():
        description[protocol] = describe_blend(fitted, list(components), list(voting))
        for segment in SEGMENTS:
            if fitted.lists and "why" in description[protocol][segment]:
                log.info("rank, %s: %s", protocol, description[protocol][segment]["why"])
    if settings.ablation != "none":
        systems |= {single[name]: scorer for name, scorer in components.items() if single[name] not in settings.systems}
    if settings.ablation == "full" and len(components) > 1:
        for omitted in components:
            others = {name: scorer for name, scorer in components.items() if name != omitted}
            kept = [scorer in voters(others).values() for scorer in voting.values()]
            reduced = (evidence[0].select_voters(kept), evidence[1].select_voters(kept))
            systems[f"{WITHOUT}{omitted}"] = _fit_decision(corpus, others, reduced, weights)[0]
    return systems, description


def _fit_decision(
    corpus: Corpus,
    components: Mapping[str, str],
    evidence: tuple[ImpressionEvidence, CatalogueEvidence],
    weights: Mapping[str, float] | None,
) -> tuple[Decision, dict[str, BlendFit]]:
    """Return the decision and its fits by protocol; a protocol without lists uses the weights of the other one."""
    voting = len(voters(components))
    if weights is None:
        impressions, catalogue = (fit_blend(part, len(components), voting) for part in evidence)
    else:
        fixed = np.array([weights.get(name, 0.0) for name in components])
        impressions, catalogue = (fixed_blend(fixed, part, voting) for part in evidence)
    decision = Decision(
        components=components,
        candidate_blend=(impressions if impressions.lists else catalogue).blend,
        catalogue_blend=(catalogue if catalogue.lists else impressions).blend,
        known_items=queries.known_items(corpus),
        cold_items=corpus.cold_items(queries.VALID),
    )
    return decision, {"impressions": impressions, "catalogue": catalogue}


def _mean_train_label(corpus: Corpus) -> float:
    train = ragged.repeat(corpus.impressions.offsets, corpus.impressions.split == TRAIN)
    known = corpus.impressions.label[train]
    known = known[~np.isnan(known)]
    return float(known.mean(dtype=np.float64)) if len(known) else 0.0
