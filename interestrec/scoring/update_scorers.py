"""Lets fitted scorers follow new and forgotten events without fitting all of them again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from interestrec.scorers.definition import AGAIN, EVENTS, GRADED_EVENTS, LABELS
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.registry import scorer_definition
from interestrec.scorers.requests import Events, Scorer
from interestrec.scorers.scorer_inputs import ScorerInputs
from interestrec.scorers.tally import StorableTally
from interestrec.scoring.fit_scorers import FitData, fit_scorer


@dataclass(frozen=True)
class EventChange:
    """All positive events of the users whose events have changed, and of everyone.

    Users and items keep their rows; new ones are appended, and the numbers of both are those after the change.
    """

    before: Events
    after: Events
    forgotten: np.ndarray  # int64, users of whom nothing is to be kept
    data: Callable[[], FitData]  # of all users, after the change; read only where a scorer cannot do without
    labels_known: bool = True  # whether `data` has all labels; else predictors of intensity keep what they learned

    def counted(self, weights: EventWeights) -> "EventChange":
        """Return the change of the events with a weight above 0."""

        def data() -> FitData:
            whole = self.data()
            return replace(whole, events=weights.select(whole.events)[0])

        before, after = (weights.select(events)[0] for events in (self.before, self.after))
        return replace(self, before=before, after=after, data=data)


def count_tally(name: str, data: FitData, inputs: ScorerInputs, settings: Mapping[str, Any]) -> StorableTally | None:
    """Return the tally of a scorer that follows exactly, to be stored beside it; None for any other scorer."""
    definition, arguments = scorer_definition(name), _arguments(name, inputs, settings)
    if definition.tally is None:
        return None
    events = _weights(name, arguments).select(data.events)[0]
    return definition.tally.counter(arguments)(events).stored()


def update_scorer(
    name: str,
    scorer: Scorer,
    tally: StorableTally | None,
    change: EventChange,
    inputs: ScorerInputs,
    scorers: Mapping[str, Scorer],
    settings: Mapping[str, Any],
) -> tuple[Scorer, StorableTally | None]:
    """Return the scorer and its tally after a change of events, as the definition of the scorer says.

    Args:
        scorer: as fitted or last updated.
        tally: of `count_tally` or of the last update; None counts all events.
        inputs: after the change, with the new users and items.
        scorers: those already updated, for a scorer that is fitted on another one.
        settings: those that the scorer was fitted with.
    """
    definition = scorer_definition(name)
    keeps = definition.fitted_on == LABELS and not change.labels_known
    if definition.follow is not None and (definition.follows != AGAIN or keeps):
        return definition.follow(scorer, change.after, change.forgotten), None
    if definition.tally is None:
        reads_data = definition.fitted_on in (EVENTS, GRADED_EVENTS, LABELS)
        return fit_scorer(name, change.data() if reads_data else None, inputs, scorers, settings), None
    arguments = _arguments(name, inputs, settings)
    count = definition.tally.counter(arguments)
    counted = change.counted(_weights(name, arguments))
    if tally is None:
        updated = count(counted.data().events)
    else:
        updated = tally.updated(counted.before, counted.after, lambda: counted.data().events, count)
    if definition.tally.needs_users(updated, arguments):
        updated = count(counted.data().events)
    fitted = definition.tally.finished(definition.tally.prepared(updated, arguments), arguments)
    return fitted, updated.stored()


def _arguments(name: str, inputs: ScorerInputs, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {**inputs.select(name, scorer_definition(name).needs), **settings}


def _weights(name: str, arguments: Mapping[str, Any]) -> EventWeights:
    """Weights by which events count; relevant events alone unless the scorer is fitted on graded events."""
    is_graded = scorer_definition(name).fitted_on == GRADED_EVENTS
    return EventWeights(arguments["relevant_from"], arguments["weak_evidence"] if is_graded else 0.0)
