"""Fits scorers: settings are selected on train → valid, then the scorers are fitted again on more events."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from interestrec.core.choices import suggestion
from interestrec.core.errors import ConfigError
from interestrec.core.row_products import one_blas_thread
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
            fits = TrialFits(name, data, user_rank, inputs, fitted.scorers)
            result = search.run(scorer_definition(name), fits, settings[name])
            fitted.scorers[name], fitted.settings[name] = result.scorer, result.settings
            if result.trials:
                fitted.trials[name] = result.trials
    return fitted


class TrialFits:
    """The fits of one scorer in a search, as `fit_scorer` makes them; see SearchedFits.

    What trials share is computed once: the scorer's tally and what `prepare` makes of it. Only those of the last trial
    are in memory, so trials that share them are to follow each other.
    """

    def __init__(
        self,
        name: str,
        data: FitData,
        user_rank: np.ndarray,
        inputs: ScorerInputs,
        scorers: Mapping[str, Scorer],
    ) -> None:
        """Take what `fit_scorer` takes.

        Args:
            user_rank: float [users] in [0, 1); a share of the users are those below it.
        """
        self._name, self._definition = name, scorer_definition(name)
        self._data, self._user_rank, self._inputs, self._scorers = data, user_rank, inputs, scorers
        self._part: tuple[float, FitData] = (1.0, data)
        self._prepared: tuple[Any, Any] = (None, None)

    def shared_settings(self, settings: Mapping[str, Any]) -> Hashable:
        """See SearchedFits."""
        tally = self._definition.tally
        return None if tally is None else tuple(settings.get(key) for key in (*tally.counting, *tally.preparing))

    def prepare(self, settings: Mapping[str, Any], share: float) -> Callable[[], Scorer]:
        """See SearchedFits."""
        if self._part[0] != share:
            self._part = (share, self._data if share == 1.0 else self._data.of_users(self._user_rank < share))
        data, tally = self._part[1], self._definition.tally
        if tally is None:
            return partial(fit_scorer, self._name, data, self._inputs, self._scorers, settings)
        arguments = {**self._inputs.select(self._name, self._definition.needs), **settings}
        key = (share, self.shared_settings(settings))
        if self._prepared[0] != key:
            self._prepared = (None, None)  # before its successor takes memory
            source = _fit_source(self._name, data, self._inputs, self._scorers)
            self._prepared = (key, tally.prepared(tally.counter(arguments)(source), arguments))
        return partial(tally.finished, self._prepared[1], arguments)


def refit_scorers(
    static: Mapping[str, Scorer], settings: Mapping[str, Mapping[str, Any]], data: FitData, inputs: ScorerInputs
) -> dict[str, Scorer]:
    """Fit the scorers of `settings` on `data`; return them after the static scorers, in the order of `fit_scorers`."""
    scorers = dict(static)
    for name, values in settings.items():
        scorers[name] = fit_scorer(name, data, inputs, scorers, values)
    return scorers


@one_blas_thread()  # so that the bits of a fit are those of a trial beside another one, and of another machine
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
    source = _fit_source(name, data, inputs, scorers)
    return definition.fit(**arguments) if definition.fitted_on == NOTHING else definition.fit(source, **arguments)


def _fit_source(name: str, data: FitData | None, inputs: ScorerInputs, scorers: Mapping[str, Scorer]) -> Any:
    """Return the data that the definition of a scorer declares; see `fit_scorer`."""
    definition = scorer_definition(name)
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
    return sources[definition.fitted_on]
