"""Every configured system, ours with fitted weights, each with a map from its score to an intensity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.scoring import calibration, fit_blend, histories
from interestrec.scoring.calibration import Calibration
from interestrec.scoring.decision import Decision, System
from interestrec.scoring.fit_blend import BlendFit
from interestrec.scoring.requests import Scorer
from interestrec.scoring.systems import COMPONENTS, LABEL_BASED

OURS = "interestrec"


@dataclass(frozen=True)
class Lineup:
    """The systems in order, calibrations of those without an intensity of their own, and the blend's fit."""

    systems: dict[str, System]
    calibrations: dict[str, Calibration]
    blend: dict[str, Any]  # what systems.json says about the fit of ours; empty where it takes no part

    def over(self, scorers: Mapping[str, Scorer]) -> "Lineup":
        """The same choices over refitted scorers."""
        systems: dict[str, System] = {}
        for name, system in self.systems.items():
            systems[name] = system.over(_components(scorers, system)) if isinstance(system, Decision) else scorers[name]
        return Lineup(systems, self.calibrations, self.blend)


def fit(
    corpus: Corpus,
    names: Sequence[str],
    components: Sequence[str],
    scorers: Mapping[str, Scorer],
    exclude_seen: bool,
    seed: int,
) -> Lineup:
    """Fit weights and calibrations on valid_blend, with scorers fitted on train.

    Args:
        names: systems to line up.
        components: of `interestrec`.
        scorers: by their names in scoring/systems.py.
        exclude_seen: whether the catalogue's lists leave out items of the history.
    """
    systems: dict[str, System] = {name: scorers[name] for name in names if name != OURS}
    blend: dict[str, Any] = {}
    if OURS in names:
        parts = {name: scorers[COMPONENTS[name]] for name in components}
        systems[OURS], blend = _fit_ours(corpus, parts, exclude_seen, seed)
    systems = {name: systems[name] for name in names}
    own_intensity = OURS if "intensity" in components else None
    return Lineup(systems, _calibrate(corpus, systems, own_intensity), blend)


def _fit_ours(
    corpus: Corpus, components: Mapping[str, Scorer], exclude_seen: bool, seed: int
) -> tuple[Decision, dict[str, Any]]:
    """Where one of the two protocols has nothing to fit on, the other's weights serve both."""
    within = fit_blend.fit_on_impressions(corpus, components)
    whole = fit_blend.fit_on_catalogue(corpus, components, exclude_seen, seed)
    impression_weights = (within if within.fitted.lists else whole).fitted.weights
    catalogue_weights = (whole if whole.fitted.lists else within).fitted.weights
    decision = Decision(components, impression_weights, catalogue_weights, histories.known_items(corpus))
    described = {
        "components": {name: COMPONENTS[name] for name in components},
        "impressions": _describe(within, impression_weights, components),
        "catalogue": _describe(whole, catalogue_weights, components),
    }
    return decision, described


def _describe(fit: BlendFit, weights: np.ndarray, components: Mapping[str, Scorer]) -> dict[str, Any]:
    fitted = fit.fitted
    return {
        "weights": {name: round(float(weight), 6) for name, weight in zip(components, weights, strict=True)},
        "fitted_on_lists": fitted.lists,
        "loss_equal_weights": round(fitted.loss_equal, 6) if fitted.lists else None,
        "loss_fitted": round(fitted.loss_fitted, 6) if fitted.lists else None,
        "valid_blend": {fit.metric: fit.quality},
    }


def _components(scorers: Mapping[str, Scorer], decision: Decision) -> dict[str, Scorer]:
    return {name: scorers[COMPONENTS[name]] for name in decision.components}


def _calibrate(corpus: Corpus, systems: Mapping[str, System], own_intensity: str | None) -> dict[str, Calibration]:
    impression = fit_blend.blend_impressions(corpus)
    label = corpus.impressions.label[histories.of_impressions(corpus, impression).rows]
    mean = _mean_train_label(corpus)
    return {
        name: calibration.AS_IT_IS
        if name in LABEL_BASED
        else calibration.fit(fit_blend.score_impressions(corpus, system, impression), label, otherwise=mean)
        for name, system in systems.items()
        if name != own_intensity
    }


def _mean_train_label(corpus: Corpus) -> float:
    train = np.repeat(corpus.impressions.split == histories.TRAIN, np.diff(corpus.impressions.offsets))
    known = corpus.impressions.label[train]
    known = known[~np.isnan(known)]
    return float(known.mean(dtype=np.float64)) if len(known) else 0.0
