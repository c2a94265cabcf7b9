"""Popularity: scores an item by the users with an event on it."""

from __future__ import annotations

from interestrec.core.cell_sums import CellSums
from interestrec.core.deferred_import import np
from interestrec.core.section import Fraction, Section
from interestrec.scorers.definition import EXACTLY, GRADED_EVENTS, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import event_recency_matrix
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events
from interestrec.scorers.tally import Tally


class PopularitySettings(Section):
    """Settings of `popularity`: items by their users."""

    weak_evidence: Fraction = 0.0
    """Weight of events below `data.relevant_at`, as a share of the weight of relevant ones, in proportion to their
    intensity; 0 counts relevant events alone. Not searched, as higher weights ranked worse."""


def fit(events: Events, relevant_from: float, weak_evidence: float = 0.0) -> ItemScores:
    """Score items by log(1 + Σ_u w(u, item) per 10,000 users with an event), w the highest weight of a pair's events.

    Users count instead of events, so that one heavy user cannot make an item popular. The rate keeps the scale when the
    scorer is fitted again on more events.

    Args:
        events: positive events; their weights are those of EventWeights.
        relevant_from: minimum relevant intensity.
        weak_evidence: see EventWeights.
    """
    return finish(count(events, relevant_from, weak_evidence))


def count(events: Events, relevant_from: float, weak_evidence: float, latest: int | None = None) -> Tally:
    """Count the users of each item by the highest weight of a pair's events."""
    events, weight = EventWeights(relevant_from, weak_evidence).select(events)
    seen = event_recency_matrix(events, weight, None)
    users, total = np.bincount(seen.indices, minlength=events.n_items), np.asarray(seen.sum(axis=0)).ravel()
    return Tally.of(events, None, {"users": CellSums.of_items(total, users, power=0)}, latest)


def finish(tally: Tally) -> ItemScores:
    """See fit."""
    users = tally.cells("users").dense(tally.n_items)
    return ItemScores(np.log1p(users * (1e4 / max(tally.users, 1))).astype(np.float32))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemScores,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=PopularitySettings,
    follows=EXACTLY,
    tally=TallyDefinition(count, counting=("relevant_from", "weak_evidence"), finish=finish),
    component="popularity",
)
