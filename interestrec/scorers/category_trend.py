"""Category trend: what is trending now, lifted in the categories of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.cell_sums import CellSums
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import NotNegative, Positive, Section
from interestrec.scorers import recency, trending
from interestrec.scorers.definition import EVENTS, EXACTLY, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import history_recency_matrix
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_optional, unpack_optional
from interestrec.scorers.tally import Tally


class CategoryTrendSettings(Section):
    """Settings of `category_trend`: the trend, by the categories of the history."""

    half_life: Positive = 7.0
    """Days after which an event counts half in the trend and in the shares of the categories."""
    history_half_life: Positive | None = None
    """Days after which a history entry counts half beside the latest one; shorter follows the latest categories. `null`
    = all count alike."""
    smoothing: Positive = 5.0
    """History items that the overall shares of the categories count for; larger trusts short histories less."""
    strength: NotNegative = 1.0
    """Weight of the categories; 1 = the trend within a category times the user's share of it, 0 = the trend alone."""


@dataclass(frozen=True)
class CategoryTrend:
    """Scores ln(1 + 10⁴ t(j)) + strength · ln(s(category of j) / T(category of j)) for shares s of the history."""

    trend: np.ndarray  # float32 [items], ln(1 + 10⁴ t)
    category: np.ndarray  # int64 [items], category of each item
    share: np.ndarray  # float64 [categories], T
    strength: float
    smoothing: float
    relevant_from: float
    half_life: float | None  # of history entries

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; the trend for an empty history."""
        return self.trend + self._lifts(requests)[:, self.category]

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return self.trend[item] + self._lifts(requests)[ragged.owner(offsets), self.category[item]]

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "trend": self.trend,
            "category": self.category,
            "share": self.share,
            "strength": np.array(self.strength),
            "smoothing": np.array(self.smoothing),
            "relevant_from": np.array(self.relevant_from),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            trend=arrays["trend"],
            category=arrays["category"],
            share=arrays["share"],
            strength=float(arrays["strength"]),
            smoothing=float(arrays["smoothing"]),
            relevant_from=float(arrays["relevant_from"]),
            half_life=unpack_optional(arrays["half_life"]),
        )

    def _lifts(self, requests: Requests) -> np.ndarray:
        """float32 [requests, categories]: strength · ln(s / T), where s = (n(c) + k T(c)) / (n + k)."""
        items = len(self.category)
        history = history_recency_matrix(requests, EventWeights(self.relevant_from), items, self.half_life)
        membership = (np.ones(items), (np.arange(items), self.category))
        count = (history @ sparse.csr_matrix(membership, shape=(items, len(self.share)))).toarray()
        total = count.sum(axis=1, keepdims=True) + self.smoothing
        lift = (count / self.share + self.smoothing) / total
        return (self.strength * np.log(lift)).astype(np.float32)


def fit(
    events: Events,
    relevant_from: float,
    item_categories: Sequence[str | None],
    half_life: float,
    smoothing: float,
    strength: float,
    history_half_life: float | None = None,
) -> CategoryTrend:
    """Multiply the trend within each category by the user's share of the category.

    With t(j) the share of item j in the recency-weighted events, T(c) that of category c, n(c) the recency-weighted
    history items of the category, n their sum and k the smoothing, the user's share is s(c) = (n(c) + k T(c)) / (n +
    k), which is T(c) for an empty history. The score is the logarithm of s(c) · t(j) / T(c) for strength 1. That of the
    trend is the score of `trending`, so that items without events are ranked by their categories.

    Items without a category form one of their own; without any category the score is the trend. Without times, all
    events count alike in T, and the trend is flat. A category with less than one event has the share of one event.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        item_categories: [items], None if unknown.
        half_life: days, of events.
        smoothing: k, in history items.
        strength: weight of the categories.
        history_half_life: days, of history entries; None: equal weights.
    """
    settings = (item_categories, relevant_from, smoothing, strength, history_half_life)
    return finish(count(events, relevant_from, half_life), *settings)


def count(events: Events, relevant_from: float, half_life: float, latest: int | None = None) -> Tally:
    """Sum the recency-weighted events of each item, as `trending` does, and with events without a time."""
    lately = np.bincount(events.item, recency.event_recency(events, half_life, latest), minlength=events.n_items)
    number = np.bincount(events.item, minlength=events.n_items)
    trend = trending.count(events, relevant_from, half_life, 0.0, latest)
    return Tally.of(events, half_life, {**trend.sums, "lately": CellSums.of_items(lately, number, power=1)}, latest)


def finish(
    tally: Tally,
    item_categories: Sequence[str | None],
    relevant_from: float,
    smoothing: float,
    strength: float,
    history_half_life: float | None,
) -> CategoryTrend:
    """See fit."""
    trend, lately = trending.finish(tally).score, tally.cells("lately")
    names = [name or "" for name in item_categories]
    category = np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
    weight = np.bincount(category, lately.dense(tally.n_items), minlength=category.max() + 1)
    events = int(lately.count.sum())
    share = np.maximum(weight / max(weight.sum(), 1e-300), 1.0 / max(events, 1))
    used = strength if events else 0.0
    return CategoryTrend(trend, category, share, used, smoothing, relevant_from, history_half_life)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=CategoryTrend,
    fitted_on=EVENTS,
    needs=("relevant_from", "item_categories"),
    settings=CategoryTrendSettings,
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("relevant_from", "half_life"),
        finish=finish,
        finishing=("item_categories", "relevant_from", "smoothing", "strength", "history_half_life"),
    ),
    space={
        "half_life": [1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0, 365.0],
        "history_half_life": HALF_LIVES,
        "smoothing": [1.0, 2.0, 5.0, 15.0, 50.0],
        "strength": [0.25, 0.5, 1.0, 1.5],
    },
    time_settings=("half_life", "history_half_life"),
    is_baseline=False,
    component="category_trend",
)
