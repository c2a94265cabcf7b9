"""From a corpus to what scorers are fitted on, asked for, and judged by."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io import artifact_files, files, schemas
from interestrec.io.schemas import TEST, VALID
from interestrec.scorers.requests import Events, Labels, Requests


@dataclass(frozen=True)
class RequestTruth:
    """Distinct (request, item) pairs with an event, sorted by request, then item."""

    request: np.ndarray  # int64 [pairs], row of the Requests
    item: np.ndarray  # int32 [pairs]
    label: np.ndarray  # float32 [pairs], the highest where there are several
    seen: np.ndarray  # bool [pairs], the item is in the request's history

    def marked(self, which: np.ndarray, start: int, stop: int, n_items: int) -> np.ndarray:
        """bool [stop − start, items]: pairs of the requests `start` to `stop`, of those that `which`, bool, chooses."""
        here = which & (self.request >= start) & (self.request < stop)
        marks = np.zeros((stop - start, n_items), dtype=bool)
        marks[self.request[here] - start, self.item[here]] = True
        return marks


@dataclass(frozen=True)
class ImpressionQueries:
    """Impressions as requests for scores of their candidates."""

    requests: Requests
    request_offsets: np.ndarray  # int64 [requests + 1] into `rows`: the candidates of a request
    offsets: np.ndarray  # int64 [impressions + 1] into `rows`: the candidates of an impression
    rows: np.ndarray  # int64, rows of the corpus's candidates

    @property
    def without_history(self) -> np.ndarray:
        """bool [impressions]: nothing was known of the user."""
        request = np.searchsorted(self.request_offsets, self.offsets[:-1], side="right") - 1
        return (np.diff(self.requests.offsets) == 0)[request]


def valid_impressions(corpus: Corpus, select: bool) -> np.ndarray:
    """int64: rows of the validation impressions whose user is in valid_select, or else in valid_blend."""
    shown = corpus.impressions
    return np.flatnonzero((shown.split == VALID) & (corpus.in_valid_select[shown.user] == select))


def valid_users(corpus: Corpus, select: bool, most: int, seed: int) -> np.ndarray:
    """bool [users]: those of valid_select, or else of valid_blend, with a validation impression; at most so many."""
    asking = np.unique(corpus.impressions.user[valid_impressions(corpus, select)])
    chosen = np.zeros(corpus.users.num_rows, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(asking)[:most]] = True
    return chosen


def logs_histories(corpus: Corpus) -> bool:
    """Whether the log states histories with its impressions, as MIND does."""
    event = files.read_parquet(corpus.path / artifact_files.TIMELINES, columns=["event"])["event"]
    return schemas.HISTORY_EVENT in pc.unique(event).to_pylist()


def positive_events(corpus: Corpus, before: int, until: int | None = None) -> Events:
    """Relevant events of the splits before `before` (VALID: train only; TEST: train and valid).

    Args:
        until: microseconds; with it the events of all splits before this moment, and those without a time.
    """
    rows = corpus.timelines
    chosen = (rows.split < before if until is None else rows.time < until) & corpus.relevant(rows.intensity)
    return Events(
        user=rows.user[chosen],
        item=rows.item[chosen],
        intensity=rows.intensity[chosen],
        time=rows.time[chosen],
        n_users=corpus.users.num_rows,
        n_items=corpus.items.num_rows,
    )


def known_labels(corpus: Corpus, before: int, until: int | None = None) -> Labels:
    """Candidates with a known label; arguments as of positive_events."""
    shown = corpus.impressions
    owner = ragged.owner(shown.offsets)
    wanted = shown.split < before if until is None else shown.time < until
    rows = np.flatnonzero(wanted[owner] & ~np.isnan(shown.label))
    return Labels(
        user=shown.user[owner[rows]],
        item=shown.item[rows],
        label=shown.label[rows],
        n_users=corpus.users.num_rows,
        n_items=corpus.items.num_rows,
    )


def known_items(corpus: Corpus, before: int = TEST) -> np.ndarray:
    """bool [items]: in an event, a history or a candidate list of the splits before `before`."""
    known = np.zeros(corpus.items.num_rows, dtype=bool)
    known[corpus.timelines.item[corpus.timelines.split < before]] = True
    shown = ragged.repeat(corpus.impressions.offsets, corpus.impressions.split < before)
    known[corpus.impressions.item[shown]] = True
    return known


def impression_queries(corpus: Corpus, impression: np.ndarray) -> ImpressionQueries:
    """What impressions ask; neighbours with the same history, as lines of one invoice, are one request.

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
    """
    shown = corpus.impressions
    user, start, stop = shown.user[impression], shown.history_start[impression], shown.history_end[impression]
    differs = np.ones(len(impression), dtype=bool)
    differs[1:] = (np.diff(user) != 0) | (np.diff(start) != 0) | (np.diff(stop) != 0)
    first = np.flatnonzero(differs)
    offsets, rows = ragged.take(shown.offsets, impression)
    return ImpressionQueries(
        requests=_requests(corpus, user[first], *ragged.ranges(start[first], stop[first])),
        request_offsets=offsets[np.append(first, len(impression))],
        offsets=offsets,
        rows=rows,
    )


def catalogue_requests(corpus: Corpus, split: int, users: np.ndarray | None = None) -> Requests:
    """One request a user with an impression in `split`, known as they were when that split began.

    The history is the one that the user's first impression of the split states, where the log states
    histories; else all the user's events of earlier splits.

    Args:
        split: VALID or TEST.
        users: bool [users], whom to take; None for all.
    """
    shown = corpus.impressions
    rows = np.flatnonzero(shown.split == split)
    if users is not None:
        rows = rows[users[shown.user[rows]]]
    rows = rows[np.lexsort((rows, shown.time[rows], shown.user[rows]))]
    user, first = np.unique(shown.user[rows], return_index=True)
    if logs_histories(corpus):
        first_row = rows[first]
        return _requests(corpus, user, *ragged.ranges(shown.history_start[first_row], shown.history_end[first_row]))
    timelines = corpus.timelines
    asking = np.zeros(corpus.users.num_rows, dtype=bool)
    asking[user] = True
    known = np.flatnonzero((timelines.split < split) & asking[timelines.user])
    end = np.searchsorted(timelines.user[known], user, side="right")
    return _requests(corpus, user, np.concatenate([[0], end]).astype(np.int64), known)


def requests_as_of(corpus: Corpus, moment: int, users: np.ndarray | None = None) -> Requests:
    """One request a user, known by all events before a moment and by those without a time.

    Args:
        moment: microseconds since 1970 UTC.
        users: int64, whom to take, in this order; None for all.
    """
    timelines = corpus.timelines
    known = np.flatnonzero(timelines.time < moment)
    everyone = np.arange(corpus.users.num_rows, dtype=np.int32)
    offsets = ragged.from_owner(timelines.user[known], len(everyone))
    if users is None:
        return _requests(corpus, everyone, offsets, known)
    chosen, rows = ragged.take(offsets, users)
    return _requests(corpus, everyone[users], chosen, known[rows])


def published_since(corpus: Corpus, moment: int) -> np.ndarray:
    """bool [items]: published at a moment, in microseconds, or later; items that do not say when are taken too."""
    published = corpus.items["published"].cast(pa.int64())
    return pc.fill_null(pc.greater_equal(published, moment), True).to_numpy()


def request_truth(corpus: Corpus, requests: Requests, split: int) -> RequestTruth:
    """What each request's user went on to have in `split`: candidates with a label above 0."""
    shown = corpus.impressions
    owner = ragged.owner(shown.offsets)
    place = np.full(corpus.users.num_rows, -1, dtype=np.int64)
    place[requests.user] = np.arange(len(requests))
    request = place[shown.user[owner]]
    happened = np.flatnonzero((shown.split[owner] == split) & (shown.label > 0) & (request >= 0))
    request, item, label = request[happened], shown.item[happened], shown.label[happened]
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


def _requests(corpus: Corpus, user: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> Requests:
    events = corpus.timelines
    return Requests(user, offsets, events.item[rows], events.intensity[rows], events.time[rows])
