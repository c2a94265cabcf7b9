"""Session k-nearest neighbours: items of the sessions most like the latest items of the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Count, Positive, Section
from interestrec.scorers.definition import EVENTS, ScorerDefinition
from interestrec.scorers.event_weights import EventWeights
from interestrec.scorers.interactions import history_recency_matrix
from interestrec.scorers.largest_entries import largest_per_row
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.stored_arrays import pack_matrix, pack_optional, unpack_matrix, unpack_optional
from interestrec.scorers.visits import first_of_each, visit_numbers

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
        return self._scores(requests).toarray()

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        if len(item) == 0:
            return np.zeros(0, np.float32)
        return np.asarray(self._scores(requests)[ragged.owner(offsets), item], dtype=np.float32).ravel()

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

    def _scores(self, requests: Requests) -> sparse.csr_matrix:
        """float32 [requests, items]"""
        history = history_recency_matrix(requests, EventWeights(self.relevant_from), len(self.rarity), self.half_life)
        length = np.sqrt(np.asarray(history.multiply(history).sum(axis=1)).ravel())
        history.data /= ragged.repeat(history.indptr, np.where(length > 0, length, 1.0))  # very old entries weigh 0
        blocks = [self._block_scores(history[start:stop]) for start, stop in self._blocks(history)]
        score = sparse.vstack([sparse.csr_matrix((0, len(self.rarity))), *blocks], format="csr")
        score.data *= self.rarity[score.indices]
        return score.astype(np.float32)

    def _blocks(self, history: sparse.csr_matrix) -> Iterator[tuple[int, int]]:
        """Yield ranges of rows that are small enough for their candidates: sessions, and items of the neighbours."""
        sessions = np.append(0, np.cumsum(np.diff(self.index.indptr)[history.indices]))[history.indptr]
        items = self.neighbours * -(-self.sessions.nnz // max(self.sessions.shape[0], 1))
        cost = sessions + np.arange(len(sessions)) * items
        start = 0
        while start < history.shape[0]:
            stop = max(start + 1, int(np.searchsorted(cost, cost[start] + _ENTRIES, side="right")) - 1)
            yield start, stop
            start = stop

    def _block_scores(self, history: sparse.csr_matrix) -> sparse.csr_matrix:
        """float64 [requests, items], without the rarity."""
        near = largest_per_row((history @ self.index).tocsr(), self.neighbours)
        if self.step_decay is not None and near.nnz > 0:
            return self._close_to_shared(history, near, self.step_decay)
        ones = np.ones(self.sessions.nnz)
        present = sparse.csr_matrix((ones, self.sessions.indices, self.sessions.indptr), shape=self.sessions.shape)
        return (near @ present).tocsr()

    def _close_to_shared(
        self, history: sparse.csr_matrix, near: sparse.csr_matrix, step_decay: float
    ) -> sparse.csr_matrix:
        """float64 [requests, items]: the similarities of sessions, times the closeness of the item within each.

        The closeness is 2^(−|step of the item − step of i| / step_decay), where i is the item of the session whose
        weight in the history is highest, ties by the later step.
        """
        request = ragged.owner(near.indptr)
        offsets, entries = ragged.take(self.sessions.indptr, near.indices)
        item, step = self.sessions.indices[entries], self.sessions.data[entries].astype(np.float64)
        row = ragged.repeat(offsets, request)
        weight = np.asarray(history[row, item]).ravel()
        highest = ragged.repeat(offsets, np.maximum.reduceat(weight, offsets[:-1]))
        shared = np.maximum.reduceat(np.where(weight == highest, step, 0.0), offsets[:-1])  # steps count from 1
        value = ragged.repeat(offsets, near.data) * np.exp2(-np.abs(step - ragged.repeat(offsets, shared)) / step_decay)
        return sparse.csr_matrix((value, (row, item)), shape=(near.shape[0], len(self.rarity)))


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
    from interestrec.corpus.store import NO_TIME

    order = np.lexsort((events.item, events.time, events.user))
    user, item, time = events.user[order], events.item[order].astype(np.int64), events.time[order]
    session, step, end = _sessions(user, item, np.where(time == NO_TIME, 0, time), pause_hours)
    order = np.lexsort((step, item, session))
    last = np.append(first_of_each(session[order], item[order]), True)[1:] if len(order) else order
    rows = order[last]
    shape = (len(end), events.n_items)
    steps = step[rows].astype(np.float32)
    sessions = sparse.csr_matrix((steps, (session[rows], item[rows])), shape=shape)
    recency = np.ones(len(end)) if half_life is None else np.exp2(-(end.max(initial=0) - end) / (half_life * _DAY))
    weight = recency / np.sqrt(np.maximum(np.diff(sessions.indptr), 1))
    count = np.bincount(item[rows], minlength=events.n_items)
    index = sparse.csr_matrix((weight[session[rows]], (session[rows], item[rows])), shape=shape).T.tocsr()
    index.sort_indices()
    kept = ragged.positions(index.indptr) < latest
    pointer = ragged.filtered(index.indptr, kept)
    return SessionKnn(
        sessions=sessions,
        index=sparse.csr_matrix((index.data[kept], index.indices[kept], pointer), shape=index.shape),
        rarity=np.log1p(np.divide(len(end), count, out=np.zeros(len(count)), where=count > 0)).astype(np.float32),
        neighbours=neighbours,
        relevant_from=relevant_from,
        half_life=history_half_life,
        step_decay=step_decay,
    )


def _sessions(
    user: np.ndarray, item: np.ndarray, time: np.ndarray, pause_hours: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide events, sorted by user and time, into sessions, which are numbered from the latest to the earliest.

    Returns:
        Session and step of each event, int64 [events], and the time of the last event of each session, int64.
    """
    visit = visit_numbers(user, time, pause_hours)
    starts = np.flatnonzero(first_of_each(visit))
    number_of_step = np.cumsum(first_of_each(visit, time))
    step = number_of_step - number_of_step[starts][visit] + 1
    size = np.diff(np.append(starts, len(visit)))
    end = time[starts + size - 1]
    content = np.add.reduceat(item, starts) if len(starts) else item
    latest_first = np.lexsort((content, size, -end))  # ties do not depend on the names of users
    number = np.empty(len(starts), np.int64)
    number[latest_first] = np.arange(len(starts))
    return number[visit], step, end[latest_first]


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=SessionKnn,
    fitted_on=EVENTS,
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
