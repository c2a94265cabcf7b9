"""Queries on a corpus: training events and labels of scorers, requests, and the true items of requests."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.corpus.timeline_files import Timelines
from interestrec.io.schemas import TEST, TRAIN, VALID
from interestrec.scorers.requests import Events, Labels, Requests


@dataclass(frozen=True)
class RequestTruth:
    """Distinct (request, item) pairs with an event, sorted by request, then item."""

    request: np.ndarray  # int64 [pairs], row of the Requests
    item: np.ndarray  # int32 [pairs]
    label: np.ndarray  # float32 [pairs], the maximum over the candidates of a pair
    seen: np.ndarray  # bool [pairs]: the item is in the request's history

    def matrix(self, pairs: np.ndarray, start: int, stop: int, n_items: int) -> np.ndarray:
        """bool [stop − start, items]: the pairs selected by `pairs`, bool [pairs], of requests `start` to `stop`."""
        in_block = pairs & (self.request >= start) & (self.request < stop)
        cells = np.zeros((stop - start, n_items), dtype=bool)
        cells[self.request[in_block] - start, self.item[in_block]] = True
        return cells


@dataclass(frozen=True)
class ImpressionQueries:
    """Impressions as requests for scores of their candidates."""

    requests: Requests
    request_offsets: np.ndarray  # int64 [requests + 1] into `rows`: candidates per request
    offsets: np.ndarray  # int64 [impressions + 1] into `rows`: candidates per impression
    rows: np.ndarray  # int64, rows of the corpus's candidates

    @property
    def without_history(self) -> np.ndarray:
        """bool [impressions]: whether the history is empty."""
        request = np.searchsorted(self.request_offsets, self.offsets[:-1], side="right") - 1
        return (np.diff(self.requests.offsets) == 0)[request]


def valid_impressions(corpus: Corpus, select: bool) -> np.ndarray:
    """int64: rows of the validation impressions whose user is in valid_select, or, without `select`, in valid_blend."""
    shown = corpus.impressions
    return np.flatnonzero((shown.split == VALID) & (corpus.in_valid_select[shown.user] == select))


def valid_users(corpus: Corpus, select: bool, most: int, seed: int) -> np.ndarray:
    """bool [users]: a random sample of at most `most` users with an impression in `valid_impressions`."""
    candidates = np.unique(corpus.impressions.user[valid_impressions(corpus, select)])
    sample = np.zeros(corpus.users.num_rows, dtype=bool)
    sample[np.random.default_rng(seed).permutation(candidates)[:most]] = True
    return sample


def positive_events(corpus: Corpus, before: int) -> Events:
    """Return the positive events, those with an intensity above 0, of the splits before `before`.

    Args:
        before: VALID for train, TEST for train and valid.
    """
    rows = corpus.timelines
    is_positive = (rows.split < before) & (rows.intensity > 0)
    return events_at(corpus, is_positive, corpus.users.num_rows, corpus.items.num_rows)


def events_at(corpus: Corpus, rows: np.ndarray, n_users: int, n_items: int) -> Events:
    """Return some rows of the timelines as events.

    Args:
        rows: int64 rows, or bool [events].
        n_users, n_items: numbers of users and items; more than the corpus has if others were appended.
    """
    timelines = corpus.timelines
    return Events(
        user=timelines.user[rows],
        item=timelines.item[rows],
        intensity=timelines.intensity[rows],
        time=timelines.time[rows],
        n_users=n_users,
        n_items=n_items,
    )


def known_labels(corpus: Corpus, before: int) -> Labels:
    """Return the candidates with a known label; see positive_events for the argument."""
    shown = corpus.impressions
    owner = ragged.owner(shown.offsets)
    rows = np.flatnonzero((shown.split < before)[owner] & ~np.isnan(shown.label))
    return Labels(
        user=shown.user[owner[rows]],
        item=shown.item[rows],
        label=shown.label[rows],
        n_users=corpus.users.num_rows,
        n_items=corpus.items.num_rows,
    )


def known_items(corpus: Corpus, before: int = TEST) -> np.ndarray:
    """bool [items]: the item occurs in an event, a history or a candidate list of the splits before `before`."""
    known = np.zeros(corpus.items.num_rows, dtype=bool)
    known[corpus.timelines.item[corpus.timelines.split < before]] = True
    shown = ragged.repeat(corpus.impressions.offsets, corpus.impressions.split < before)
    known[corpus.impressions.item[shown]] = True
    return known


def first_seen(corpus: Corpus, split: int) -> np.ndarray:
    """bool [items]: the first event, history or candidate list with the item is of `split`."""
    return known_items(corpus, split + 1) & ~known_items(corpus, split)


def impression_queries(corpus: Corpus, impression: np.ndarray) -> ImpressionQueries:
    """Return requests for the candidates of impressions.

    Consecutive impressions of a user with the same history and time, such as the lines of an invoice, form one request.

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    shown = corpus.impressions
    user, start, stop = shown.user[impression], shown.history_start[impression], shown.history_end[impression]
    time = shown.time[impression]
    differs = np.ones(len(impression), dtype=bool)
    differs[1:] = (np.diff(user) != 0) | (np.diff(start) != 0) | (np.diff(stop) != 0) | (time[1:] != time[:-1])
    first = np.flatnonzero(differs)
    offsets, rows = ragged.take(shown.offsets, impression)
    return ImpressionQueries(
        requests=_requests(corpus.timelines, user[first], *ragged.ranges(start[first], stop[first]), time[first]),
        request_offsets=offsets[np.append(first, len(impression))],
        offsets=offsets,
        rows=rows,
    )


def catalogue_requests(corpus: Corpus, split: int, users: np.ndarray | None = None) -> Requests:
    """Return one request per user with an impression in `split`, with the history at the start of the split.

    The history is that of the user's first impression of the split if the log contains histories, otherwise all events
    of the user in earlier splits. The time is the start of the split where splits are periods of time, otherwise that
    of the user's first impression of the split.

    Args:
        split: VALID or TEST.
        users: bool [users], the users to include; None: all.
    """
    shown = corpus.impressions
    rows = np.flatnonzero(shown.split == split)
    if users is not None:
        rows = rows[users[shown.user[rows]]]
    rows = rows[np.lexsort((rows, shown.time[rows], shown.user[rows]))]
    user, first = np.unique(shown.user[rows], return_index=True)
    at = shown.time[rows][first]
    if corpus.splits_are_periods and len(at):
        at = np.full(len(user), shown.time[shown.split == split].min())
    if corpus.has_logged_histories:
        first_row = rows[first]
        ranges = ragged.ranges(shown.history_start[first_row], shown.history_end[first_row])
        return _requests(corpus.timelines, user, *ranges, at)
    timelines = corpus.timelines
    has_request = np.zeros(corpus.users.num_rows, dtype=bool)
    has_request[user] = True
    known = np.flatnonzero((timelines.split < split) & has_request[timelines.user])
    end = np.searchsorted(timelines.user[known], user, side="right")
    return _requests(corpus.timelines, user, np.concatenate([[0], end]).astype(np.int64), known, at)


def requests_as_of(corpus: Corpus, time: int, users: np.ndarray | None = None) -> Requests:
    """Return one request per user with the events before `time`, and those without a time, as history.

    Args:
        time: microseconds since 1970 UTC.
        users: int64, rows of the users to include, in this order; None: all.
    """
    return HistoriesAsOf(corpus, time, users).requests(users)[0]


class HistoriesAsOf:
    """The histories of all users at one time: the events before it, and those without a time.

    At NO_TIME all that is known are the events without a time.
    """

    def __init__(self, corpus: Corpus, time: int, users: np.ndarray | None = None) -> None:
        """Read the events.

        Args:
            time: microseconds since 1970 UTC.
            users: int64, the users whose histories alone are asked for, so that the events of others need not be
                read, and rows are those of `Corpus.timelines_of`; None: all.
        """
        timelines = corpus.timelines if users is None else corpus.timelines_of(users)
        self.corpus = corpus
        self._timelines = timelines
        self.time = time
        self._known = np.flatnonzero((timelines.time < time) | (timelines.time == NO_TIME))
        self._offsets = ragged.from_owner(timelines.user[self._known], corpus.users.num_rows)

    def requests(self, users: np.ndarray | None = None) -> tuple[Requests, np.ndarray]:
        """Return one request per user, and the rows of their entries in the timelines, int64 [total].

        Args:
            users: int64, rows of the users to include, in this order; None: all.
        """
        if users is None:
            users = np.arange(self.corpus.users.num_rows)
        offsets, entries = ragged.take(self._offsets, users)
        rows = self._known[entries]
        return _requests(self._timelines, users.astype(np.int32), offsets, rows, np.full(len(users), self.time)), rows


def as_known_before(corpus: Corpus, time: int) -> Corpus:
    """Return the corpus with all that was before `time`, or has no time, as train, and the rest as test.

    Args:
        time: microseconds.
    """
    events, shown = corpus.timelines.time, corpus.impressions.time
    codes = (np.where(times < time, TRAIN, TEST).astype(np.int8) for times in (events, shown))
    return corpus.with_splits(*codes)


def published_since(corpus: Corpus, time: int) -> np.ndarray:
    """bool [items]: the item was published at `time`, in microseconds, or later, or has no date."""
    published = corpus.items["published"].cast(pa.int64())
    return pc.fill_null(pc.greater_equal(published, time), True).to_numpy()


def request_truth(corpus: Corpus, requests: Requests, split: int) -> RequestTruth:
    """Return the positive items of each request's user in `split`: candidates with a label above 0."""
    shown = corpus.impressions
    owner = ragged.owner(shown.offsets)
    request_of_user = np.full(corpus.users.num_rows, -1, dtype=np.int64)
    request_of_user[requests.user] = np.arange(len(requests))
    request = request_of_user[shown.user[owner]]
    positive = np.flatnonzero((shown.split[owner] == split) & (shown.label > 0) & (request >= 0))
    request, item, label = request[positive], shown.item[positive], shown.label[positive]
    order = np.lexsort((-label, item, request))
    n_items = corpus.items.num_rows
    cell, first = np.unique(request[order] * n_items + item[order], return_index=True)
    row = requests.owner
    return RequestTruth(
        request=cell // n_items,
        item=(cell % n_items).astype(np.int32),
        label=label[order][first],
        seen=np.isin(cell, row * n_items + requests.item),
    )


def _requests(events: Timelines, user: np.ndarray, offsets: np.ndarray, rows: np.ndarray, at: np.ndarray) -> Requests:
    return Requests(user, offsets, events.item[rows], events.intensity[rows], events.time[rows], at)
