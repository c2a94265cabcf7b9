"""Popularity: scores an item by the number of users with a positive event on it."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.scorers.definition import EVENTS, ScorerDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events


def fit(events: Events) -> ItemScores:
    """Score items by log(1 + users with a positive event on the item per 10,000 users with any positive event).

    Users count instead of events, so that one heavy user cannot make an item popular. The rate keeps the scale when the
    scorer is fitted again on more events.
    """
    pair = np.unique(events.user.astype(np.int64) * events.n_items + events.item)
    users = np.bincount(pair % events.n_items, minlength=events.n_items)
    total = max(len(np.unique(events.user)), 1)
    return ItemScores(np.log1p(users * (1e4 / total)).astype(np.float32))


DEFINITION = ScorerDefinition(fit=fit, scorer=ItemScores, fitted_on=EVENTS, component="popularity")
