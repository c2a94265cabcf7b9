"""Repeat: own earlier items, by how often and after which intervals items are taken again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.section import Positive, Section
from interestrec.corpus.no_time import NO_TIME
from interestrec.scorers.catalogue_rows import SparseRows, sorted_rows
from interestrec.scorers.definition import AGAIN, EVENTS, ScorerDefinition
from interestrec.scorers.requests import Events, Requests
from interestrec.scorers.visits import first_of_each, visit_numbers

_VISITS = 50  # latest visits of a user that are predicted from those before them, which bounds the time
_ROWS = 1 << 22  # pairs of an item taken before and a later visit of one block
_COUNTS = 5  # classes of visits with the item: 1, 2 to 3, 4 to 7, 8 to 15, 16 and more
_AGES = 8  # classes of age / interval: none, below 1/8, below 1/4, …, below 4, 4 and more


class RepeatSettings(Section):
    """Settings of `repeat`: own earlier items."""

    pause_hours: Positive = 12.0
    """Hours without an event after which the next event of a user begins a new visit."""
    item_prior: Positive = 5.0
    """Expected repetitions that the rate of all items counts for in the rate of an item; larger trusts rare items
    less."""
    interval_prior: Positive = 5.0
    """Intervals that the typical interval of all items counts for in the interval of an item."""


@dataclass(frozen=True)
class Repeat:
    """Scores the probability that an item of the history is taken at the next visit; 0 for other items."""

    rate: np.ndarray  # float64 [counts × ages], probability by visits with the item and relative age
    factor: np.ndarray  # float64 [items], repetitions of an item relative to `rate`
    interval: np.ndarray  # float64 [items], typical interval in microseconds
    pause_hours: float
    relevant_from: float

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        return self._scores(requests).toarray()

    def catalogue_rows(self, requests: Requests) -> SparseRows:
        """See GivesRows."""
        return SparseRows(sorted_rows(self._scores(requests)))

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        if len(item) == 0:
            return np.zeros(0, np.float32)
        return np.asarray(self._scores(requests)[ragged.owner(offsets), item], dtype=np.float32).ravel()

    def arrays(self) -> dict[str, np.ndarray]:
        """See StorableScorer."""
        return {
            "rate": self.rate,
            "factor": self.factor,
            "interval": self.interval,
            "pause_hours": np.array(self.pause_hours),
            "relevant_from": np.array(self.relevant_from),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """See StorableScorer."""
        return cls(
            rate=arrays["rate"],
            factor=arrays["factor"],
            interval=arrays["interval"],
            pause_hours=float(arrays["pause_hours"]),
            relevant_from=float(arrays["relevant_from"]),
        )

    def _scores(self, requests: Requests) -> sparse.csr_matrix:
        """float32 [requests, items]"""
        positive = requests.intensity >= self.relevant_from
        occasions = _Occasions.of(
            requests.owner[positive], requests.item[positive], requests.time[positive], self.pause_hours
        )
        last = np.flatnonzero(np.append(occasions.is_first, True)[1:]) if len(occasions.owner) else occasions.owner
        owner, item, visit = occasions.owner[last], occasions.item[last], occasions.visit[last]
        latest = ragged.from_owner(occasions.visit_owner, len(requests))[1:] - 1  # the last visit of each request
        age = occasions.visit_time[latest[owner]] - occasions.visit_time[visit]
        cell = _cells(occasions.count[last], age, self.interval[item])
        value = (self.rate[cell] * self.factor[item]).astype(np.float32)
        return sparse.csr_matrix((value, (owner, item)), shape=(len(requests), len(self.factor)))


@dataclass(frozen=True)
class _Occasions:
    """The distinct (owner, item, visit), sorted in this order, and the visits."""

    owner: np.ndarray  # int64 [occasions]
    item: np.ndarray  # int64 [occasions]
    visit: np.ndarray  # int64 [occasions]
    is_first: np.ndarray  # bool [occasions]: the first visit of the owner with the item
    count: np.ndarray  # int64 [occasions]: visits of the owner with the item until this one
    visit_owner: np.ndarray  # int64 [visits]
    visit_time: np.ndarray  # int64 [visits], of the last event, 0 without a time

    @classmethod
    def of(cls, owner: np.ndarray, item: np.ndarray, time: np.ndarray, pause_hours: float) -> Self:
        """Take events whose owners ascend; see `visit_numbers`."""
        visit = visit_numbers(owner, time, pause_hours)
        ends = np.append(np.diff(visit) > 0, [True] * (len(visit) > 0)).astype(bool)
        order = np.lexsort((visit, item, owner))
        owner_of, item_of, visit_of = (key[order].astype(np.int64) for key in (owner, item, visit))
        kept = first_of_each(owner_of, item_of, visit_of)
        owner_of, item_of, visit_of = owner_of[kept], item_of[kept], visit_of[kept]
        is_first = first_of_each(owner_of, item_of)
        start = np.maximum.accumulate(np.where(is_first, np.arange(len(is_first)), 0))
        return cls(
            owner=owner_of,
            item=item_of,
            visit=visit_of,
            is_first=is_first,
            count=np.arange(len(is_first)) - start + 1,
            visit_owner=owner[ends].astype(np.int64),
            visit_time=np.where(time[ends] == NO_TIME, 0, time[ends]),
        )


def fit(events: Events, relevant_from: float, pause_hours: float, item_prior: float, interval_prior: float) -> Repeat:
    """Estimate how likely an item is taken again at the next visit.

    Every visit of a user is predicted from the visits before it, as a request is. With m the earlier visits with the
    item, a the time from the last of them to the visit before the predicted one, and τ(i) the typical interval of item
    i, the geometric mean of the intervals between its visits, shrunk towards that of all items,

        p = r(class of m, class of a / τ(i)) · (repetitions of i + k) / (expected repetitions of i + k),

    where the table r holds the observed rates, to which m / (m + 2) is added as one observation, and expected
    repetitions are the sum of r over what was observed of the item. Times of the next visit are unknown to requests;
    a is 0 for items of the latest visit.

    An event without a time is not used for the fit. Without times, items are ranked by their number of events in the
    history.

    Args:
        events: positive events.
        relevant_from: minimum intensity of a positive history entry.
        pause_hours: longest pause within a visit, in hours.
        item_prior: k, in expected repetitions.
        interval_prior: number of intervals that the mean interval of all items counts for.
    """
    order = np.lexsort((events.time, events.user))
    order = order[events.time[order] != NO_TIME]
    occasions = _Occasions.of(events.user[order], events.item[order], events.time[order], pause_hours)
    interval = _intervals(occasions, events.n_items, interval_prior)
    seen, again = _observed(occasions, interval, events.n_items)
    prior = np.minimum(1 << np.arange(_COUNTS), 1 << _COUNTS)
    prior_rate = np.repeat(prior / (prior + 2.0), _AGES)
    rate = (again.sum(axis=0) + prior_rate) / (seen.sum(axis=0) + 1.0)
    factor = (again.sum(axis=1) + item_prior) / (seen @ rate + item_prior)
    if len(events.item) == 0:
        rate = np.zeros_like(rate)
    return Repeat(rate, factor, interval, pause_hours, relevant_from)


def _intervals(occasions: _Occasions, n_items: int, prior: float) -> np.ndarray:
    """float64 [items]: the geometric mean interval of each item in microseconds, shrunk towards that of all items."""
    again = np.flatnonzero(~occasions.is_first)
    time = occasions.visit_time[occasions.visit]
    log_interval = np.log(np.maximum(time[again] - time[again - 1], 1))
    mean = log_interval.mean() if len(again) else 0.0
    total = np.bincount(occasions.item[again], log_interval, minlength=n_items)
    return np.exp((total + prior * mean) / (np.bincount(occasions.item[again], minlength=n_items) + prior))


def _observed(occasions: _Occasions, interval: np.ndarray, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often items could have been, and were, taken again; float64 [items, counts × ages] each.

    An occasion is observed at the visits after it until the user takes the item again.
    """
    ends = np.append(~occasions.is_first[1:], [False] * (len(occasions.owner) > 0)).astype(bool)  # taken again
    visits = ragged.from_owner(occasions.visit_owner, int(occasions.visit_owner.max(initial=-1)) + 1)
    last = visits[occasions.owner + 1] - 1
    following = np.append(occasions.visit[1:], 0)[: len(last)]
    stop = np.where(ends, following, last) + 1
    start = np.maximum(occasions.visit + 1, last + 1 - _VISITS)
    start = np.minimum(start, stop)
    cells = _COUNTS * _AGES
    seen, again = np.zeros(n_items * cells), np.zeros(n_items * cells)
    total = ragged.from_lengths(stop - start)
    edges = np.unique(np.searchsorted(total, np.arange(0, total[-1] + _ROWS, _ROWS)).clip(0, len(start)))
    for low, high in pairwise(edges):
        rows = np.arange(low, high)
        offsets, target = ragged.ranges(start[rows], stop[rows])
        row = ragged.repeat(offsets, rows)
        item = occasions.item[row]
        age = occasions.visit_time[target - 1] - occasions.visit_time[occasions.visit[row]]
        cell = item * cells + _cells(occasions.count[row], age, interval[item])
        seen += np.bincount(cell, minlength=len(seen))
        again += np.bincount(cell[ends[row] & (target == following[row])], minlength=len(seen))
    return seen.reshape(n_items, cells), again.reshape(n_items, cells)


def _cells(count: np.ndarray, age: np.ndarray, interval: np.ndarray) -> np.ndarray:
    """int64 [n]: the cell of the table of rates; ages and intervals in microseconds."""
    by_count = np.minimum(np.log2(count).astype(np.int64), _COUNTS - 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # time may go back where splits are random
        by_age = np.clip(np.floor(np.log2(age / interval)) + 5, 1, _AGES - 1)
    return by_count * _AGES + np.where(age > 0, by_age, 0).astype(np.int64)


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=Repeat,
    fitted_on=EVENTS,
    follows=AGAIN,
    needs=("relevant_from",),
    settings=RepeatSettings,
    space={
        "pause_hours": [1.0, 12.0, 72.0],
        "item_prior": [1.0, 5.0, 20.0],
        "interval_prior": [1.0, 5.0, 20.0, 1000.0],
    },
    time_settings=("pause_hours", "item_prior", "interval_prior"),
    is_baseline=False,
    component="repeat",
)
