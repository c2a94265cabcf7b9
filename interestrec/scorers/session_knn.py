"""Session k-nearest neighbours: items of the sessions most like the latest items of the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import largest_per_row
from interestrec.core.section import Count, Positive, Section
from interestrec.scorers.catalogue_rows import SparseRows
from interestrec.scorers.definition import EVENTS, EXACTLY, ScorerDefinition, TallyDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import history_recency_matrix
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.session_tally import SessionTally, count
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional

_DAY = 86_400_000_000  # microseconds
_ENTRIES = 1 << 22  # candidates of one block of requests, which bound its memory


class SessionKnnSettings(Section):
    """Settings of `session_knn`: items of the sessions most like the latest items of the history."""

    pause_hours: Positive = 12.0
    """Hours without an event after which the next event of a user begins a new session."""
    neighbours: Count = 200
    """Sessions that a request takes items from; fewer are faster and less noisy."""
    latest: Count = 100
    """Latest sessions of an item that can be neighbours; bounds the time per request."""
    half_life: Positive | None = None
    """Days after which a session counts half; `null` = all count alike."""
    history_half_life: Positive | None = 7.0
    """Days after which a history entry counts half beside the latest one; `null` = all count alike."""
    step_decay: Positive | None = None
    """Steps, different times within a session, after which an item beside the shared item counts half; `null` = all
    count alike."""


@dataclass(frozen=True)
class SessionKnn:
    """Scores Σ_s similarity(history, s) · closeness of the item within s · rarity of the item over neighbours s."""

    sessions: sparse.csr_matrix  # float32 [sessions, items]: the step of each item, from 1
    index: sparse.csr_matrix  # float64 [items, sessions]: recency / √length of the latest sessions of each item
    rarity: np.ndarray  # float32 [items]
    neighbours: int
    relevant_from: float
    half_life: float | None  # of history entries
    step_decay: float | None

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]; 0 throughout for an empty history."""
        return self.catalogue_rows(requests).entries.toarray()

    def catalogue_rows(self, requests: Requests) -> SparseRows:
        """See GivesRows."""
        shape = (len(requests), len(self.rarity))
        cells, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        history = self._history(requests)
        for start, stop in self._ranges(history):
            cell, vote = self._votes(history[start:stop])
            cell, entry = np.unique(cell, return_inverse=True)
            total = np.bincount(entry, vote, minlength=len(cell))
            cells.append(cell + start * shape[1])
            scores.append((total * self.rarity[cell % shape[1]]).astype(np.float32))
        cell = np.concatenate(cells)
        pointer = np.searchsorted(cell, np.arange(shape[0] + 1) * shape[1])
        return SparseRows(sparse.csr_matrix((np.concatenate(scores), cell % shape[1], pointer), shape=shape))

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return self.catalogue_rows(requests).at(ragged.owner(offsets), item)

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            **pack_matrix("sessions", self.sessions),
            **pack_matrix("index", self.index),
            "rarity": self.rarity,
            "neighbours": np.array(self.neighbours),
            "relevant_from": np.array(self.relevant_from),
            "half_life": pack_optional(self.half_life),
            "step_decay": pack_optional(self.step_decay),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            sessions=unpack_matrix("sessions", arrays),
            index=unpack_matrix("index", arrays),
            rarity=arrays["rarity"],
            neighbours=int(arrays["neighbours"]),
            relevant_from=float(arrays["relevant_from"]),
            half_life=unpack_optional(arrays["half_life"]),
            step_decay=unpack_optional(arrays["step_decay"]),
        )

    def _history(self, requests: Requests) -> sparse.csr_matrix:
        """float64 [requests, items]: recencies of the history's items, rows of length 1."""
        history = history_recency_matrix(requests, EventWeights(self.relevant_from), len(self.rarity), self.half_life)
        length = np.sqrt(np.asarray(history.multiply(history).sum(axis=1)).ravel())
        history.data /= ragged.repeat(history.indptr, np.where(length > 0, length, 1.0))  # very old entries weigh 0
        return history

    def _ranges(self, history: sparse.csr_matrix) -> Iterator[tuple[int, int]]:
        """Yield ranges of rows whose candidates are few enough: sessions, and items of the neighbours."""
        sessions = np.append(0, np.cumsum(np.diff(self.index.indptr)[history.indices]))[history.indptr]
        items = self.neighbours * -(-self.sessions.nnz // max(self.sessions.shape[0], 1))
        cost = sessions + np.arange(len(sessions)) * items
        start = 0
        while start < history.shape[0]:
            stop = max(start + 1, int(np.searchsorted(cost, cost[start] + _ENTRIES, side="right")) - 1)
            yield start, stop
            start = stop

    def _votes(self, history: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Return the votes of the neighbours: cells of [requests, items], int64, and values, float64; [votes] each.

        A neighbour votes for an item by its similarity times 2^(−|step of the item − step of i| / step_decay), where i
        is the item of the session whose weight in the history is highest, ties by the later step. Votes are in the
        order of the sessions, so that the sums of a request do not depend on other requests.
        """
        near = largest_per_row((history @ self.index).tocsr(), self.neighbours)
        if near.nnz == 0:
            return np.zeros(0, np.int64), np.zeros(0)
        offsets, entries = ragged.take(self.sessions.indptr, near.indices)
        row, item = ragged.repeat(offsets, ragged.owner(near.indptr)), self.sessions.indices[entries]
        vote = ragged.repeat(offsets, near.data)
        if self.step_decay is not None:
            step = self.sessions.data[entries].astype(np.float64)
            weight = np.asarray(history[row, item]).ravel()
            highest = ragged.repeat(offsets, np.maximum.reduceat(weight, offsets[:-1]))
            shared = np.maximum.reduceat(np.where(weight == highest, step, 0.0), offsets[:-1])  # steps count from 1
            vote = vote * np.exp2(-np.abs(step - ragged.repeat(offsets, shared)) / self.step_decay)
        return row * history.shape[1] + item, vote


def fit(
    events: Events,
    relevant_from: float,
    pause_hours: float,
    neighbours: int,
    latest: int,
    half_life: float | None = None,
    history_half_life: float | None = None,
    step_decay: float | None = None,
) -> SessionKnn:
    """Prepare sessions for the search of neighbours, as VSTAN (Ludewig et al. 2021) and STAN (Garg et al. 2019) do.

    With w(i) the recencies of the history's items relative to its latest entry, scaled to length 1, the similarity of
    session s is Σ_{i in s} w(i) / √|s| · 2^(−age of s / half_life). The `neighbours` most similar sessions vote for
    their items with 2^(−d / step_decay), d steps from the item of the history that weighs most, the latest of equal
    ones, and an item j of n(j) of the n sessions counts by its rarity ln(1 + n / n(j)).

    Events without a time form one session per user.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        pause_hours: longest pause within a session, in hours.
        neighbours: maximum number of sessions per request, ties by the later session.
        latest: maximum number of sessions per item, the latest ones, in which neighbours are sought.
        half_life: days, of sessions; None: equal weights.
        history_half_life: days, of history entries; None: equal weights.
        step_decay: steps after which the closeness halves; None: equal weights.
    """
    tally = count(events, pause_hours)
    return finish(tally, relevant_from, neighbours, latest, half_life, history_half_life, step_decay)


def finish(
    tally: SessionTally,
    relevant_from: float,
    neighbours: int,
    latest: int,
    half_life: float | None,
    history_half_life: float | None,
    step_decay: float | None,
) -> SessionKnn:
    """See fit."""
    end, offsets, item = tally.end, tally.offsets, tally.item
    shape = (len(end), tally.n_items)
    recency = np.ones(len(end)) if half_life is None else np.exp2(-(end.max(initial=0) - end) / (half_life * _DAY))
    weight = recency / np.sqrt(np.maximum(np.diff(offsets), 1))
    number = np.bincount(item, minlength=tally.n_items)
    index = sparse.csr_matrix((ragged.repeat(offsets, weight), item, offsets), shape=shape).T.tocsr()
    kept = ragged.positions(index.indptr) < latest
    pointer = ragged.filtered(index.indptr, kept)
    return SessionKnn(
        sessions=sparse.csr_matrix((tally.step, item, offsets), shape=shape),
        index=sparse.csr_matrix((index.data[kept], index.indices[kept], pointer), shape=index.shape),
        rarity=np.log1p(np.divide(len(end), number, out=np.zeros(len(number)), where=number > 0)).astype(np.float32),
        neighbours=neighbours,
        relevant_from=relevant_from,
        half_life=history_half_life,
        step_decay=step_decay,
    )


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=SessionKnn,
    fitted_on=EVENTS,
    follows=EXACTLY,
    tally=TallyDefinition(
        count,
        counting=("pause_hours",),
        finish=finish,
        finishing=("relevant_from", "neighbours", "latest", "half_life", "history_half_life", "step_decay"),
        kind=SessionTally,
    ),
    needs=("relevant_from",),
    settings=SessionKnnSettings,
    space={
        "pause_hours": [1.0, 12.0, 72.0, 100000.0],
        "neighbours": [50, 100, 200, 500],
        "half_life": [None, 7.0, 30.0, 90.0],
        "history_half_life": [None, 1.0, 7.0, 30.0, 120.0],
        "step_decay": [None, 1.0, 3.0],
    },
    time_settings=("pause_hours", "half_life", "history_half_life", "step_decay"),
    is_baseline=False,
    component="session_knn",
)
