"""Trending: scores an item by its recent positive events."""

from __future__ import annotations

from interestrec.core.deferred_import import np
from interestrec.core.section import Positive, Section
from interestrec.scorers import recency
from interestrec.scorers.definition import EVENTS, ScorerDefinition
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events


class TrendingSettings(Section):
    """Settings of `trending`: items by their recent events."""

    half_life: Positive = 7.0
    """Days after which an event counts half; shorter follows the news faster, longer comes close to `popularity`."""


def fit(events: Events, half_life: float) -> ItemScores:
    """Score items by log(1 + 10⁴ · their share of Σ 2^(−age / half_life) over all positive events).

    Ages are relative to the latest event. Events without a time are not counted; if no event has a time, every item
    scores 0.

    Args:
        half_life: days.
    """
    from interestrec.corpus.store import NO_TIME

    weight = np.where(events.time == NO_TIME, 0.0, recency.event_recency(events, half_life))
    lately = np.bincount(events.item, weight, minlength=events.n_items)
    total = lately.sum()
    return ItemScores(np.log1p(lately * (1e4 / total if total > 0 else 0.0)).astype(np.float32))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemScores,
    fitted_on=EVENTS,
    settings=TrendingSettings,
    space={"half_life": [0.25, 1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0]},
    time_settings=("half_life",),
    component="trending",
)
