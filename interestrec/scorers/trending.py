"""Trending: scores an item by its recent events."""

from __future__ import annotations

from interestrec.core.cell_sums import CellSums
from interestrec.core.deferred_import import np
from interestrec.core.section import Fraction, Positive, Section
from interestrec.scorers import recency
from interestrec.scorers.definition import EXACTLY, GRADED_EVENTS, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.item_scores import ItemScores
from interestrec.scorers.requests import Events
from interestrec.scorers.tally import Tally


class TrendingSettings(Section):
    """Settings of `trending`: items by their recent events."""

    half_life: Positive = 7.0
    """Days after which an event counts half; shorter follows the news faster, longer comes close to `popularity`."""
    weak_evidence: Fraction = 0.0
    """Weight of events below `data.relevant_at`, as a share of the weight of relevant ones, in proportion to their
    intensity; 0 counts relevant events alone. Not searched, as higher weights ranked worse."""


def fit(events: Events, relevant_from: float, half_life: float, weak_evidence: float = 0.0) -> ItemScores:
    """Score items by log(1 + 10⁴ · their share of Σ weight · 2^(−age / half_life) over all events).

    Ages are relative to the latest event. Events without a time are not counted; if no event has a time, every item
    scores 0.

    Args:
        events: positive events; their weights are those of EventWeights.
        relevant_from: minimum relevant intensity.
        half_life: days.
        weak_evidence: see EventWeights.
    """
    return finish(count(events, relevant_from, half_life, weak_evidence))


def count(
    events: Events, relevant_from: float, half_life: float, weak_evidence: float, latest: int | None = None
) -> Tally:
    """Sum the recency-weighted events of each item."""
    events, weight = EventWeights(relevant_from, weak_evidence).select(events)
    return Tally.of(events, half_life, {"trend": timed_sums(events, weight, half_life, latest)}, latest)


def timed_sums(events: Events, weight: np.ndarray, half_life: float, latest: int | None) -> CellSums:
    """Return Σ weight · recency per item over the events with a time; `weight` is float64 [events]."""
    from interestrec.corpus.store import NO_TIME

    timed = events.time != NO_TIME
    value = np.where(timed, weight * recency.event_recency(events, half_life, latest), 0.0)
    lately = np.bincount(events.item, value, minlength=events.n_items)
    return CellSums.of_items(lately, np.bincount(events.item[timed], minlength=events.n_items), power=1)


def finish(tally: Tally) -> ItemScores:
    """See fit."""
    lately = tally.cells("trend").dense(tally.n_items)
    total = lately.sum()
    return ItemScores(np.log1p(lately * (1e4 / total if total > 0 else 0.0)).astype(np.float32))


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemScores,
    fitted_on=GRADED_EVENTS,
    needs=("relevant_from",),
    settings=TrendingSettings,
    follows=EXACTLY,
    tally=TallyDefinition(count, counting=("relevant_from", "half_life", "weak_evidence"), finish=finish),
    space={"half_life": [0.25, 1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0]},
    time_settings=("half_life",),
    component="trending",
)
