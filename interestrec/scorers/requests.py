"""The interface of scorers: events and labels for their fit, requests, and the protocol Scorer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

from interestrec.core import ragged
from interestrec.core.deferred_import import np

NOBODY = -1  # user of a request of somebody who is not in the corpus
_CELLS = 1 << 22  # requests × items of one dense block
_CANDIDATES, _IMPRESSIONS = 1 << 15, 1 << 11  # of one block whose candidates alone are scored


@dataclass(frozen=True)
class Events:
    """Positive events, those with an intensity above 0, that a scorer is fitted on."""

    user: np.ndarray  # int32 [n]
    item: np.ndarray  # int32 [n]
    intensity: np.ndarray  # float32 [n]
    time: np.ndarray  # int64 [n], microseconds, store.NO_TIME where null
    n_users: int
    n_items: int

    def rows(self, selected: np.ndarray) -> Events:
        """Return the events marked by `selected`, bool [n]."""
        user, item, intensity, time = (
            self.user[selected],
            self.item[selected],
            self.intensity[selected],
            self.time[selected],
        )
        return Events(user, item, intensity, time, self.n_users, self.n_items)


@dataclass(frozen=True)
class Labels:
    """Known intensities that an intensity scorer is fitted on; 0 for items that were shown and ignored."""

    user: np.ndarray  # int32 [n]
    item: np.ndarray  # int32 [n]
    label: np.ndarray  # float32 [n] in [0, 1]
    n_users: int
    n_items: int


@dataclass(frozen=True)
class Requests:
    """Users with their histories; the history of request r is `item[offsets[r]:offsets[r + 1]]`, oldest first.

    Of somebody who is not in the corpus nothing is known but the history: scorers answer such a request as that of a
    new user without attributes.
    """

    user: np.ndarray  # int32 [requests], −1 for somebody who is not in the corpus
    offsets: np.ndarray  # int64 [requests + 1]
    item: np.ndarray  # int32 [total]
    intensity: np.ndarray  # float32 [total]
    time: np.ndarray  # int64 [total], microseconds, store.NO_TIME where null
    at: np.ndarray  # int64 [requests], microseconds of the request; what happened before is known; NO_TIME where null

    def __len__(self) -> int:
        return len(self.user)

    @property
    def owner(self) -> np.ndarray:
        """int64 [total]: the request row of each history entry."""
        return ragged.owner(self.offsets)

    def block(self, start: int, stop: int) -> Requests:
        """Return the requests `start` to `stop`, exclusive."""
        stop = min(stop, len(self))
        first, last = self.offsets[start], self.offsets[stop]
        offsets = self.offsets[start : stop + 1] - first
        rows = slice(first, last)
        return Requests(
            self.user[start:stop], offsets, self.item[rows], self.intensity[rows], self.time[rows], self.at[start:stop]
        )

    def rows(self, chosen: np.ndarray) -> Requests:
        """Return some requests, int64 [chosen], in this order."""
        offsets, entries = ragged.take(self.offsets, chosen)
        return Requests(
            self.user[chosen], offsets, self.item[entries], self.intensity[entries], self.time[entries], self.at[chosen]
        )

    def entries(self, kept: np.ndarray) -> Requests:
        """Return the same requests with some of their history entries, bool [total]."""
        offsets = ragged.filtered(self.offsets, kept)
        return Requests(self.user, offsets, self.item[kept], self.intensity[kept], self.time[kept], self.at)

    def latest(self, length: int) -> Requests:
        """Return the same requests with at most the `length` latest entries of each history."""
        return self.entries(
            ragged.positions(self.offsets) >= ragged.repeat(self.offsets, np.diff(self.offsets) - length)
        )

    def distinct(self) -> tuple[Requests, np.ndarray]:
        """Return the requests that differ, and the row of every request among them, int64 [requests]."""
        rows: dict[tuple[object, ...], int] = {}
        row = np.empty(len(self), np.int64)
        for n, (start, stop) in enumerate(pairwise(self.offsets.tolist())):
            history = (part[start:stop].tobytes() for part in (self.item, self.intensity, self.time))
            row[n] = rows.setdefault((int(self.user[n]), int(self.at[n]), *history), len(rows))
        _, first = np.unique(row, return_index=True)
        return self.rows(first), row

    def without_history(self) -> Requests:
        """Return the same users with empty histories."""
        return self.entries(np.zeros(len(self.item), dtype=bool))

    def appended(self, others: Requests) -> Requests:
        """Return these requests, then the others."""
        return Requests(
            user=np.append(self.user, others.user),
            offsets=np.append(self.offsets, self.offsets[-1] + others.offsets[1:]),
            item=np.append(self.item, others.item),
            intensity=np.append(self.intensity, others.intensity),
            time=np.append(self.time, others.time),
            at=np.append(self.at, others.at),
        )


def user_rows(values: np.ndarray, user: np.ndarray, unknown: Any) -> np.ndarray:
    """Return the values of users, [n, …] of the type of `values`.

    Args:
        values: [users, …].
        user: int [n], −1 for somebody who is not in the corpus.
        unknown: the value of such users, of the shape of one value or broadcast to it.
    """
    absent = user < 0
    if not absent.any():
        return values[user]
    found = np.empty((len(user), *values.shape[1:]), values.dtype)
    found[~absent], found[absent] = values[user[~absent]], unknown
    return found


def request_blocks(requests: int, n_items: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of requests that are small enough for a dense requests × items matrix."""
    step = max(1, _CELLS // max(n_items, 1))
    for start in range(0, requests, step):
        yield start, min(start + step, requests)


def candidate_blocks(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of impressions whose candidates are few enough to be scored together.

    Args:
        offsets: int64 [impressions + 1], candidates per impression.
    """
    start, impressions = 0, len(offsets) - 1
    while start < impressions:
        stop = int(np.searchsorted(offsets, offsets[start] + _CANDIDATES, side="right")) - 1
        stop = min(max(stop, start + 1), start + _IMPRESSIONS, impressions)
        yield start, stop
        start = stop


def candidates_of_catalogue(
    score_catalogue: Callable[[Requests], np.ndarray],
    n_items: int,
    requests: Requests,
    offsets: np.ndarray,
    item: np.ndarray,
) -> np.ndarray:
    """Return the scores of candidates, float32 [len(item)], by a scorer that needs those of all items for them.

    Args:
        score_catalogue, requests, offsets, item: see Scorer.
    """
    score = np.zeros(len(item), np.float32)
    for start, stop in request_blocks(len(requests), n_items):
        block = score_catalogue(requests.block(start, stop))
        own = slice(offsets[start], offsets[stop])
        score[own] = block[ragged.owner(offsets[start : stop + 1]), item[own]]
    return score


@runtime_checkable
class ReadsLatest(Protocol):
    """A scorer that reads only the latest entries of a history."""

    @property
    def history_length(self) -> int:
        """Number of entries that it reads."""


@runtime_checkable
class AttendsToHistory(Protocol):
    """A scorer that weighs the entries of a history by attention."""

    def history_attention(self, requests: Requests) -> np.ndarray | None:
        """float32 [entries]: weights of a sum of 1 per request, 0 for entries that are not read; None: it has none."""


class Scorer(Protocol):
    """Scores items for requests: baselines, components and the intensity model.

    Scores are finite; higher is better; they are comparable only within a request. The scores of a request have the
    same bits whatever other requests are asked with it; see core/row_products.py.
    """

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]: scores of all items of the corpus; pass blocks of the size of request_blocks."""

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]; the candidates of request r are `item[offsets[r]:offsets[r + 1]]`."""
