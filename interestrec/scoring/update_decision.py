"""Lets the scorers of a decision follow a change of its log; weights and calibrations stay as they were chosen."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from interestrec.core import ragged
from interestrec.core.progress import log as logger
from interestrec.corpus.store import Corpus
from interestrec.scorers import queries
from interestrec.scorers.definition import MODEL
from interestrec.scorers.registry import scorer_definition
from interestrec.scorers.requests import Events, Labels, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.tally import StorableTally
from interestrec.scoring.decision import Decision
from interestrec.scoring.ensemble import Ensemble
from interestrec.scoring.fit_scorers import FitData, FittedScorers
from interestrec.scoring.fit_systems import FittedSystems
from interestrec.scoring.update_scorers import EventChange, update_scorer


def event_change(
    before: Corpus, after: Corpus, touched: np.ndarray, forgotten: np.ndarray, labels_known: bool
) -> EventChange:
    """Return the change from one log to another.

    Args:
        touched: int64, the users whose events differ, ascending.
        forgotten: int64, users of whom nothing is to be kept.
        labels_known: whether every event is a label and there are no others.
    """

    def of_touched(corpus: Corpus) -> Events:
        timelines = corpus.timelines
        _, rows = ragged.take(timelines.offsets, touched[touched < corpus.users.num_rows])
        positive = rows[timelines.intensity[rows] > 0]
        return queries.events_at(corpus, positive, after.users.num_rows, after.items.num_rows)

    def data() -> FitData:
        rows = after.timelines
        labels = Labels(rows.user, rows.item, rows.intensity, after.users.num_rows, after.items.num_rows)
        return FitData(queries.positive_events(after, queries.TEST), labels)

    return EventChange(of_touched(before), of_touched(after), forgotten, data, labels_known)


def update_systems(
    systems: FittedSystems,
    tallies: Mapping[str, StorableTally],
    change: EventChange,
    inputs: ScorerInputs,
    models: Mapping[str, Scorer],
    static: Mapping[str, Mapping[str, Any]],
) -> tuple[FittedSystems, dict[str, StorableTally]]:
    """Return the systems and tallies after a change.

    Args:
        systems: with the scorers that others are fitted on.
        inputs: after the change.
        models: the scorers of the `model` artifact after the change, by name.
        static: settings of scorers that depend on neither events nor labels, by name.
    """
    scorers: dict[str, Scorer] = {}
    kept: dict[str, StorableTally] = {}
    for name, scorer in systems.ensemble.scorers.items():
        definition = scorer_definition(name)
        if definition.fitted_on == MODEL:
            scorers[name] = models[name]
            continue
        settings = static[name] if definition.is_static else systems.selection.settings[name]
        scorers[name], tally = update_scorer(name, scorer, tallies.get(name), change, inputs, scorers, settings)
        logger.info("update: %s follows (%s)", name, definition.follows)
        if tally is not None:
            kept[name] = tally
    return FittedSystems(
        _with(systems.ensemble, scorers, change.after), FittedScorers(scorers, *_choices(systems))
    ), kept


def _choices(systems: FittedSystems) -> tuple[dict[str, Any], dict[str, Any]]:
    return systems.selection.settings, systems.selection.trials


def _with(ensemble: Ensemble, scorers: Mapping[str, Scorer], after: Events) -> Ensemble:
    """Return the ensemble with other scorers; items are no longer cold once they have a positive event."""

    def grown(mask: np.ndarray, value: bool) -> np.ndarray:
        return np.append(mask, np.full(after.n_items - len(mask), value))

    systems: dict[str, str | Decision] = {}
    for name, system in ensemble.systems.items():
        if isinstance(system, Decision):
            cold = grown(system.cold_items, True)
            cold[after.item] = False
            system = replace(system, known_items=grown(system.known_items, False), cold_items=cold)
        systems[name] = system
    return replace(ensemble, scorers=scorers, systems=systems)
