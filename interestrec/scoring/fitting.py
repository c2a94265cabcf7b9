"""The scorers that are fitted here: settings chosen on train → valid, then the same settings over more events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from interestrec.scoring.requests import Events, Labels, Scorer
from interestrec.scoring.search import Goal, search
from interestrec.scoring.systems import COUNT_BASED, LABEL_BASED


@dataclass(frozen=True)
class Observed:
    """What scorers are fitted on: relevant events, and candidates with a known label."""

    events: Events
    labels: Labels


@dataclass(frozen=True)
class Fitted:
    """Scorers by name, the settings of each, and what was tried to find them."""

    scorers: dict[str, Scorer]
    settings: dict[str, dict[str, Any]]
    tried: dict[str, list[dict[str, Any]]]


def choose(
    names: Sequence[str],
    observed: Observed,
    configured: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Mapping[str, Any]],
    goals: tuple[Goal, Goal],
    trials: int,
    timed: bool,
    seed: int,
) -> Fitted:
    """Fit those of the named scorers that are fitted here, with the best settings found.

    Args:
        observed: of train.
        configured: settings by scorer.
        given: further arguments of the fits, which are not chosen.
        goals: for scorers of counts and for those of labels.
        trials: fits a scorer with settings to choose.
        timed: whether events have times.
    """
    fitted = Fitted({}, {}, {})
    for name in names:
        if name in COUNT_BASED or name in LABEL_BASED:
            goal = goals[name in LABEL_BASED]
            fit = partial(_fit, name, observed, given.get(name, {}))
            found = search(name, fit, configured.get(name, {}), goal, trials, timed, seed)
            fitted.scorers[name], fitted.settings[name] = found.scorer, found.settings
            if found.tried:
                fitted.tried[name] = found.tried
    return fitted


def refit(
    settings: Mapping[str, Mapping[str, Any]], observed: Observed, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, Scorer]:
    """The scorers of these settings, fitted on what is observed."""
    return {name: _fit(name, observed, given.get(name, {}), **chosen) for name, chosen in settings.items()}


def _fit(name: str, observed: Observed, given: Mapping[str, Any], **settings: Any) -> Scorer:
    if name in COUNT_BASED:
        return COUNT_BASED[name](observed.events, **given, **settings)
    return LABEL_BASED[name](observed.labels, **given, **settings)
