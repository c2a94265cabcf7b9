"""The scorers that are fitted here: settings chosen on train → valid, then the same settings over more events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from interestrec.scorers.registry import COUNT_BASED, DERIVED, LABEL_BASED
from interestrec.scorers.requests import Events, Labels, Scorer
from interestrec.scoring.search import SearchGoal, search_settings


@dataclass(frozen=True)
class FitData:
    """What scorers are fitted on: relevant events, and candidates with a known label."""

    events: Events
    labels: Labels


@dataclass(frozen=True)
class FittedScorers:
    """Scorers by name, the settings of each, and what was tried to find them."""

    scorers: dict[str, Scorer]
    settings: dict[str, dict[str, Any]]
    tried: dict[str, list[dict[str, Any]]]


def fit_chosen(
    names: Sequence[str],
    observed: FitData,
    configured: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Mapping[str, Any]],
    goals: tuple[SearchGoal, SearchGoal],
    trials: int,
    timed: bool,
    seed: int,
) -> FittedScorers:
    """Fit those of the named scorers that are fitted here, with the best settings found.

    Args:
        observed: of train.
        configured: settings by scorer.
        given: further arguments of the fits, which are not chosen.
        goals: for scorers of counts and for those of labels.
        trials: fits a scorer with settings to choose.
        timed: whether events have times.
    """
    fitted = FittedScorers({}, {}, {})
    for name in names:
        own = given.get(name, {})
        if name in DERIVED:
            fitted.settings[name] = dict(configured.get(name, {}))
            fitted.scorers[name] = _derived(name, fitted.scorers, own, fitted.settings[name])
        elif name in COUNT_BASED or name in LABEL_BASED:
            fit = partial(_fit, name, observed, own)
            found = search_settings(
                name, fit, configured.get(name, {}), goals[name in LABEL_BASED], trials, timed, seed
            )
            fitted.scorers[name], fitted.settings[name] = found.scorer, found.settings
            if found.tried:
                fitted.tried[name] = found.tried
    return fitted


def refit_chosen(
    settings: Mapping[str, Mapping[str, Any]], observed: FitData, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, Scorer]:
    """The scorers of these settings, in the order of `choose`, fitted on what is observed."""
    scorers: dict[str, Scorer] = {}
    for name, chosen in settings.items():
        own = given.get(name, {})
        if name in DERIVED:
            scorers[name] = _derived(name, scorers, own, chosen)
        else:
            scorers[name] = _fit(name, observed, own, **chosen)
    return scorers


def _derived(name: str, scorers: Mapping[str, Scorer], given: Mapping[str, Any], settings: Mapping[str, Any]) -> Scorer:
    base, make = DERIVED[name]
    return make(scorers[base], **given, **settings)


def _fit(name: str, observed: FitData, given: Mapping[str, Any], **settings: Any) -> Scorer:
    if name in COUNT_BASED:
        return COUNT_BASED[name](observed.events, **given, **settings)
    return LABEL_BASED[name](observed.labels, **given, **settings)
