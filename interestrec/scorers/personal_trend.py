"""Personal trend: what is trending now, lifted among the users of the history's items and for texts like theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core import ragged
from interestrec.core.cell_sums import CellSums, PairSums
from interestrec.core.column_products import PairProducts
from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import item_matrix
from interestrec.core.row_products import pair_dots, row_products
from interestrec.core.section import Count, NotNegative, Positive, Section
from interestrec.scorers import trending
from interestrec.scorers.content import unit_rows
from interestrec.scorers.definition import EVENTS, EXACTLY, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import (
    history_recency_matrix,
    products,
    quick_form,
    sparse_dots,
    user_recencies,
)
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional
from interestrec.scorers.tally import Tally

_TINY = 1e-300  # divisor of what no recent event has


class PersonalTrendSettings(Section):
    """Settings of `personal_trend`: the trend among users and texts near the history."""

    half_life: Positive = 7.0
    """Days after which an event counts half in the trend, overall and among the users of an item."""
    history_half_life: Positive | None = None
    """Days after which a history entry counts half beside the latest one; shorter follows the latest interest. `null` =
    all count alike."""
    neighbours: Count = 200
    """Most lifted items that each item of a history keeps; fewer are faster and less noisy."""
    shrinkage: Positive = 3.0
    """Events of the overall trend that the trend among the users of an item is mixed with; larger trusts small groups
    less."""
    lift: NotNegative = 1.0
    """Weight of the lift among the users of the history's items; 0 = not used."""
    text: NotNegative = 1.0
    """Weight of the texts' similarity to the history, which also reaches new items without events; 0 = not used."""


@dataclass(frozen=True)
class PersonalTrend:
    """Scores trend + lift · Σ_i a_i L(i, j) + text · (c(history, j) − c(everyone, j)), where Σ_i a_i < 1."""

    trend: np.ndarray  # float32 [items]
    lifts: sparse.csr_matrix  # float32 [items, items], lift · L; rows are items of the history
    unit: np.ndarray  # float32 [items, width], unit vectors of the texts
    everyone: np.ndarray  # float32 [width], the mean unit vector over events
    text: float
    relevant_from: float
    half_life: float | None  # of history entries

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; the trend for an empty history."""
        history = self._histories(requests)
        score = products(history, self._quick)
        score += self.trend
        score += row_products(self._profiles(history), self.unit)
        return score

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        history, row = self._histories(requests), ragged.owner(offsets)
        score = sparse_dots(history, row, self._by_candidate, item)
        score += self.trend[item]
        return score + pair_dots(self._profiles(history)[row], self.unit[item])

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **pack_matrix("lifts", self.lifts),
            "trend": self.trend,
            "unit": self.unit,
            "everyone": self.everyone,
            "text": np.array(self.text),
            "relevant_from": np.array(self.relevant_from),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            trend=arrays["trend"],
            lifts=unpack_matrix("lifts", arrays),
            unit=arrays["unit"],
            everyone=arrays["everyone"],
            text=float(arrays["text"]),
            relevant_from=float(arrays["relevant_from"]),
            half_life=unpack_optional(arrays["half_life"]),
        )

    def _histories(self, requests: Requests) -> sparse.csr_matrix:
        """float32 [requests, items]: a, the recencies of the history over their sum and 1."""
        history = history_recency_matrix(requests, EventWeights(self.relevant_from), len(self.trend), self.half_life)
        total = np.asarray(history.sum(axis=1)).ravel() + 1.0
        history.data /= ragged.repeat(history.indptr, total)
        return history.astype(np.float32)

    def _profiles(self, history: sparse.csr_matrix) -> np.ndarray:
        """float32 [requests, width]: text · (the history's mean unit vector − everyone's), by the weights a."""
        share = np.asarray(history.sum(axis=1), dtype=np.float32)
        return self.text * (history @ self.unit - share * self.everyone)

    @cached_property
    def _quick(self) -> sparse.csr_matrix | np.ndarray:
        return quick_form(self.lifts)

    @cached_property
    def _by_candidate(self) -> sparse.csr_matrix:
        return self.lifts.T.tocsr()


def fit(
    events: Events,
    relevant_from: float,
    text_vectors: np.ndarray,
    half_life: float,
    neighbours: int,
    shrinkage: float,
    lift: float,
    text: float,
    history_half_life: float | None = None,
) -> PersonalTrend:
    """Compare the trend among the users of each item with the overall trend.

    With t(j) the share of item j in the trend, n(i, j) the recency-weighted events of j of the users of i, where each
    user counts 1 / √(number of the user's items), and k the shrinkage, the trend among the users of i is

        q(j | i) = (n(i, j) + k t(j)) / (n(i) + k),

    which Dirichlet smoothing draws to t(j). Up to a term that is equal for all j,

        L(i, j) = ln(q(j | i) / t(j)) = ln(1 + n(i, j) / (k t(j))).

    The score is a log-linear mixture of the trend and the experts q(· | i) of the history. An item without a text has
    the similarity 0, and an item without events is ranked by the similarity of its text alone. Without times, the
    trend counts all events alike.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        text_vectors: float32 [items, width], vectors of the texts; zeros for items without text.
        half_life: days, of events.
        neighbours: maximum number of lifted items j per item i, ties by the lower row.
        shrinkage: k, in events.
        lift: weight of L.
        text: weight of the texts.
        history_half_life: days, of history entries; None: equal weights.
    """
    tally = count(events, relevant_from, half_life)
    return finish(tally, relevant_from, text_vectors, neighbours, shrinkage, lift, text, history_half_life)


def count(events: Events, relevant_from: float, half_life: float, latest: int | None = None) -> Tally:
    """Sum n(i, j) of pairs (`near`), and of items the recencies of users (`lately`) and of events, and the events."""
    lately, user = user_recencies(events, np.ones(len(events.item)), half_life, latest)
    users = lately.copy()
    users.data[:] = ragged.repeat(lately.indptr, 1.0 / np.sqrt(np.maximum(np.diff(lately.indptr), 1)))
    share, holders = np.asarray(lately.sum(axis=0)).ravel(), np.bincount(lately.indices, minlength=events.n_items)
    number = np.bincount(events.item, minlength=events.n_items)
    sums: dict[str, PairSums] = {
        "near": PairProducts(users, lately, user, power=1),
        "lately": CellSums.of_items(share, holders, power=1),
        "events": CellSums.of_items(number, number, power=0),
    }
    trend = trending.count(events, relevant_from, half_life, 0.0, latest)
    return Tally.of(events, half_life, {**trend.sums, **sums}, latest)


def finish(
    tally: Tally,
    relevant_from: float,
    text_vectors: np.ndarray,
    neighbours: int,
    shrinkage: float,
    lift: float,
    text: float,
    history_half_life: float | None,
) -> PersonalTrend:
    """See fit."""
    unit, events = unit_rows(text_vectors), tally.cells("events")
    everyone = np.asarray(events.count @ unit[events.items[0]] / max(events.count.sum(), 1), dtype=np.float32)
    lifts = _lifts(tally, neighbours, shrinkage) * np.float32(lift)
    trend = trending.finish(tally).score
    weight_of_text = text if len(events.cell) else 0.0
    return PersonalTrend(trend, lifts, unit, everyone, weight_of_text, relevant_from, history_half_life)


def _lifts(tally: Tally, neighbours: int, shrinkage: float) -> sparse.csr_matrix:
    """float32 [items, items]: L, the `neighbours` largest of each row."""
    share = tally.cells("lately").dense(tally.n_items)
    share /= max(share.sum(), _TINY)

    def lifts(_: np.ndarray, column: np.ndarray, near: np.ndarray) -> np.ndarray:
        return np.log1p(near / (shrinkage * np.maximum(share[column], _TINY)))

    return item_matrix(tally.sums["near"].blocks(tally.all_items), tally.n_items, lifts, neighbours)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=PersonalTrend,
    fitted_on=EVENTS,
    needs=("relevant_from", "text_vectors"),
    settings=PersonalTrendSettings,
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("relevant_from", "half_life"),
        finish=finish,
        finishing=("relevant_from", "text_vectors", "neighbours", "shrinkage", "lift", "text", "history_half_life"),
    ),
    space={
        "half_life": [1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 90.0, 365.0],
        "history_half_life": HALF_LIVES,
        "shrinkage": [0.3, 1.0, 3.0, 10.0],
        "lift": [0.25, 0.5, 0.75, 1.0, 1.5],
        "text": [0.0, 0.5, 1.0, 2.0],
    },
    time_settings=("half_life", "history_half_life"),
    is_baseline=False,
    component="personal_trend",
)
