"""Co-visits: items that followed the history's items within a time window, whose direction is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from interestrec.core import ragged
from interestrec.core.cell_sums import CellSums
from interestrec.core.deferred_import import np, sparse
from interestrec.core.follower_sums import FollowerSums
from interestrec.core.largest_entries import largest_per_row
from interestrec.core.section import Count, Positive, Section
from interestrec.scorers import recency
from interestrec.scorers.catalogue_rows import SparseRows, sorted_rows
from interestrec.scorers.definition import EVENTS, EXACTLY, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import history_recency_matrix, products, quick_form, sparse_dots
from interestrec.scorers.recency import HALF_LIVES
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional
from interestrec.scorers.tally import Tally

_DAY = 86_400_000_000  # microseconds


class CovisitSettings(Section):
    """Settings of `covisit`: items that followed those of the history."""

    window_days: Positive = 30.0
    """Days within which an item must follow another; shorter finds what is taken together, longer what comes next."""
    following: Count = 50
    """Most events after an event, and as many of the same time, that count as following it; bounds the time."""
    neighbours: Count = 200
    """Items that each item keeps; fewer are faster and less noisy."""
    shrinkage: Positive = 10.0
    """Followers for which the shares of all items in all events count; larger trusts rare items less."""
    half_life: Positive | None = None
    """Days after which a pair of events counts half; `null` = all count alike."""
    history_half_life: Positive | None = None
    """Days after which a history entry counts half beside the latest one; `null` = all count alike."""


@dataclass(frozen=True)
class Covisit:
    """Scores Σ_i a_i p(j | i) over the history, and the shares of the items for an empty history."""

    followers: sparse.csr_matrix  # float32 [items, items], n(i, j) / (n(i) + k); rows are items of the history
    backoff: np.ndarray  # float32 [items], k / (n(i) + k)
    share: np.ndarray  # float32 [items], share of all events
    relevant_from: float
    half_life: float | None  # of history entries

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        history, backoff = self._histories(requests)
        score = products(history, self._quick)
        score += backoff[:, None] * self.share
        return score

    def catalogue_rows(self, requests: Requests) -> SparseRows:
        """See GivesRows."""
        history, backoff = self._histories(requests)
        return SparseRows(sorted_rows(history @ self.followers), self.share, backoff)

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        history, backoff = self._histories(requests)
        row = ragged.owner(offsets)
        return sparse_dots(history, row, self._by_candidate, item) + backoff[row] * self.share[item]

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **pack_matrix("followers", self.followers),
            "backoff": self.backoff,
            "share": self.share,
            "relevant_from": np.array(self.relevant_from),
            "half_life": pack_optional(self.half_life),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            followers=unpack_matrix("followers", arrays),
            backoff=arrays["backoff"],
            share=arrays["share"],
            relevant_from=float(arrays["relevant_from"]),
            half_life=unpack_optional(arrays["half_life"]),
        )

    def _histories(self, requests: Requests) -> tuple[sparse.csr_matrix, np.ndarray]:
        """Return a, float32 [requests, items], whose rows sum to 1, and Σ_i a_i · backoff(i), float32 [requests]."""
        history = history_recency_matrix(requests, EventWeights(self.relevant_from), len(self.share), self.half_life)
        total = np.asarray(history.sum(axis=1)).ravel()
        history.data /= ragged.repeat(history.indptr, np.where(total > 0, total, 1.0))
        shares = history.astype(np.float32)
        return shares, np.where(total > 0, shares @ self.backoff, 1.0).astype(np.float32)

    @cached_property
    def _quick(self) -> sparse.csr_matrix | np.ndarray:
        return quick_form(self.followers)

    @cached_property
    def _by_candidate(self) -> sparse.csr_matrix:
        return self.followers.T.tocsr()


def fit(
    events: Events,
    relevant_from: float,
    window_days: float,
    following: int,
    neighbours: int,
    shrinkage: float,
    half_life: float | None = None,
    history_half_life: float | None = None,
) -> Covisit:
    """Count which items j follow item i, in events of the same user.

    With n(i, j) the pairs of an event of i and one of j at the same time or at most `window_days` later, weighted by
    the recency of the later event, n(i) = Σ_j n(i, j), s(j) the share of j in the recency-weighted events and k the
    shrinkage,

        p(j | i) = (n(i, j) + k s(j)) / (n(i) + k).

    An event pairs with at most `following` events after it, and with as many before it of the same time. Without times,
    all events of a user have the same time.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        window_days: in days.
        following: maximum number of pairs per event and direction.
        neighbours: maximum number of followers j kept per item i, ties by the lower row.
        shrinkage: k, in pairs.
        half_life: days, of events; None: equal weights.
        history_half_life: days, of history entries; None: equal weights.
    """
    tally = count(events, window_days, following, half_life)
    return finish(tally, relevant_from, neighbours, shrinkage, history_half_life)


def count(
    events: Events, window_days: float, following: int, half_life: float | None, latest: int | None = None
) -> Tally:
    """Sum n(i, j) and the recency-weighted events of each item."""
    order = np.lexsort((events.item, events.time, events.user))
    user, item, time = events.user[order], events.item[order], events.time[order]
    weight = recency.event_recency(events, half_life, latest)[order]
    share, number = (np.bincount(item, part, minlength=events.n_items) for part in (weight, None))
    followers = FollowerSums(user, item, time, weight, round(window_days * _DAY), following, events.n_items)
    return Tally.of(
        events, half_life, {"followers": followers, "events": CellSums.of_items(share, number, power=1)}, latest
    )


def finish(
    tally: Tally, relevant_from: float, neighbours: int, shrinkage: float, history_half_life: float | None
) -> Covisit:
    """See fit."""
    followers = [sparse.csr_matrix((0, tally.n_items), dtype=np.float32)]
    totals = [np.zeros(0)]
    for block in tally.sums["followers"].blocks(tally.all_items):
        total = np.asarray(block.sum(axis=1)).ravel() + shrinkage
        likelihood = (block.data / ragged.repeat(block.indptr, total)).astype(np.float32)
        rows = sparse.csr_matrix((likelihood, block.indices, block.indptr), shape=block.shape)
        followers.append(largest_per_row(rows, neighbours))
        totals.append(total)
    share = tally.cells("events").dense(tally.n_items)
    return Covisit(
        followers=sparse.vstack(followers, format="csr"),
        backoff=(shrinkage / np.concatenate(totals)).astype(np.float32),
        share=(share / max(share.sum(), np.finfo(np.float64).tiny)).astype(np.float32),
        relevant_from=relevant_from,
        half_life=history_half_life,
    )


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Covisit,
    fitted_on=EVENTS,
    needs=("relevant_from",),
    settings=CovisitSettings,
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("window_days", "following", "half_life"),
        prepare=lambda tally: tally.with_blocks_kept("followers"),
        finish=finish,
        finishing=("relevant_from", "neighbours", "shrinkage", "history_half_life"),
    ),
    space={
        "window_days": [0.5, 3.0, 14.0, 60.0, 365.0],
        "shrinkage": [1.0, 10.0, 50.0, 200.0],
        "half_life": HALF_LIVES,
        "history_half_life": [None, 1.0, 7.0, 30.0, 120.0],
    },
    time_settings=("window_days", "half_life", "history_half_life"),
    is_baseline=False,
    component="covisit",
)
