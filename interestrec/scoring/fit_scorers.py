"""Fits scorers: settings are selected on train → valid, then the scorers are fitted again on more events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.definition import EVENTS, GRADED_EVENTS, LABELS, MODEL, NOTHING
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.random import id_hashes
from interestrec.scorers.registry import SCORERS, scorer_definition
from interestrec.scorers.requests import Events, Labels, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scoring.search import SettingsSearch


@dataclass(frozen=True)
class FitData:
    """Training data of scorers: positive events, and candidates with a known label."""

    events: Events
    labels: Labels

    @classmethod
    def before_split(cls, corpus: Corpus, split: int) -> "FitData":
        """Return events and labels of the splits before `split`."""
        return cls(queries.positive_events(corpus, split), queries.known_labels(corpus, split))

    def of_users(self, users: np.ndarray) -> "FitData":
        """Return the events of `users`, bool [users], and all labels."""
        return replace(self, events=self.events.rows(users[self.events.user]))


@dataclass(frozen=True)
class FittedScorers:
    """Scorers by name, with the selected settings and the trials of those that are not static."""

    scorers: dict[str, Scorer]
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    trials: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def fit_static(
    names: Sequence[str], inputs: ScorerInputs, settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Scorer]:
    """Fit the static scorers among `names`, those that depend on neither events nor labels.

    Args:
        settings: by scorer.
    """
    static = [name for name in names if scorer_definition(name).is_static]
    return {name: fit_scorer(name, None, inputs, {}, settings[name]) for name in static}


def fit_scorers(
    names: Sequence[str],
    data: FitData,
    inputs: ScorerInputs,
    settings: Mapping[str, Mapping[str, Any]],
    search: SettingsSearch,
) -> FittedScorers:
    """Fit scorers, each with the best settings of the search.

    Args:
        names: scorers, each after the scorer that it is fitted on.
        data: events and labels of train.
        settings: configured settings by scorer.
    """
    fitted = FittedScorers(fit_static(names, inputs, settings))
    user_rank = id_hashes(inputs.user_ids, inputs.seed) / 2.0**64
    for name in names:
        if not scorer_definition(name).is_static:
            fit = partial(_fit_on_share, name, data, user_rank, inputs, fitted.scorers)
            result = search.run(scorer_definition(name), fit, settings[name])
            fitted.scorers[name], fitted.settings[name] = result.scorer, result.settings
            if result.trials:
                fitted.trials[name] = result.trials
    return fitted


def _fit_on_share(
    name: str,
    data: FitData,
    user_rank: np.ndarray,
    inputs: ScorerInputs,
    scorers: Mapping[str, Scorer],
    settings: Mapping[str, Any],
    share: float,
) -> Scorer:
    """Fit one scorer on a share of the users, those whose `user_rank`, float [users] in [0, 1), is below it."""
    part = data if share == 1.0 else data.of_users(user_rank < share)
    return fit_scorer(name, part, inputs, scorers, settings)


def refit_scorers(
    static: Mapping[str, Scorer], settings: Mapping[str, Mapping[str, Any]], data: FitData, inputs: ScorerInputs
) -> dict[str, Scorer]:
    """Fit the scorers of `settings` on `data`; return them after the static scorers, in the order of `fit_scorers`."""
    scorers = dict(static)
    for name, values in settings.items():
        scorers[name] = fit_scorer(name, data, inputs, scorers, values)
    return scorers


def fit_scorer(
    name: str,
    data: FitData | None,
    inputs: ScorerInputs,
    scorers: Mapping[str, Scorer],
    settings: Mapping[str, Any],
) -> Scorer:
    """Fit one scorer on the data that its definition declares.

    Args:
        data: None for a static scorer.
        scorers: fitted scorers by name, for a scorer that is fitted on another one.

    Raises:
        ConfigError: the scorer is unknown, or its definition declares an unknown input; the message says how to correct
            it.
    """
    definition = scorer_definition(name)
    arguments = {**inputs.select(name, definition.needs), **settings}
    sources: dict[str, Any] = {NOTHING: None, MODEL: inputs, **scorers}
    if data is not None:
        relevant = EventWeights(inputs.relevant_from).select(data.events)[0]
        sources |= {EVENTS: relevant, GRADED_EVENTS: data.events, LABELS: data.labels}
    if definition.fitted_on not in sources:
        choices = (EVENTS, GRADED_EVENTS, LABELS, NOTHING, MODEL, *SCORERS)
        near = suggestion(definition.fitted_on, choices)
        raise ConfigError(
            f"scorer '{name}' is fitted on '{definition.fitted_on}'{near}, which is unavailable; set fitted_on in its "
            f"DEFINITION to one of: {', '.join(choices)}"
        )
    if definition.fitted_on == NOTHING:
        return definition.fit(**arguments)
    return definition.fit(sources[definition.fitted_on], **arguments)
