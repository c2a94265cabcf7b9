"""Popularity: scores an item by the users with an event on it."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.core.section import Fraction, Section
from interestrec.scorers.definition import GRADED_EVENTS, ScorerDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import event_recency_matrix
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events


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
    seen = event_recency_matrix(*EventWeights(relevant_from, weak_evidence).select(events), None)
    users = np.asarray(seen.sum(axis=0)).ravel()
    return ItemScores(np.log1p(users * (1e4 / max(seen.shape[0], 1))).astype(np.float32))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemScores,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=PopularitySettings,
    component="popularity",
)
