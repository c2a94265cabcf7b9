"""Fits of any scorer of the registry by its name and the kind of its settings."""

from typing import Any

from interestrec.scorers.registry import SCORERS, required_scorers
from interestrec.scorers.requests import Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.fit_scorers import FitData, fit_scorer, fit_static
from interestrec.scoring.rank_settings import RankSettings

DEFAULTS, EXTREMES = "defaults", "extremes"  # settings: the configured ones, or the last value of each in the space
CASES = [(name, kind) for name, entry in SCORERS.items() for kind in (DEFAULTS, *([EXTREMES] if entry.space else []))]


def source(name: str) -> str:
    """What a scorer is fitted on in the end, through those that it is based on."""
    return source(SCORERS[name].fitted_on) if SCORERS[name].fitted_on in SCORERS else SCORERS[name].fitted_on


def fit_all(name: str, kind: str, inputs: ScorerInputs, data: FitData) -> Scorer:
    """A scorer and those that it is fitted on."""
    names = required_scorers([name])
    settings = {other: chosen_settings(other, kind) for other in names}
    made = fit_static(names, inputs, settings)
    for other in names:
        if other not in made:
            made[other] = fit_scorer(other, data, inputs, made, settings[other])
    return made[name]


def chosen_settings(name: str, kind: str) -> dict[str, Any]:
    space = SCORERS[name].space if kind == EXTREMES else {}
    return {**RankSettings().scorer_settings(name), **{key: values[-1] for key, values in space.items()}}
