"""The probe of adaptation: how well vectors of items find the next item of users, within train.

Losses tell what the encoder learned of texts. What the product needs are vectors in which items that follow each other
are near, so that is measured, on train alone.
"""

from typing import NamedTuple

import numpy as np

from interestrec.corpus.store import Corpus
from interestrec.io.schemas import TRAIN

_MOST_USERS = 2000
_LATEST = 10  # events of a history that are read
_STANDARD_ERRORS = 1.0  # that a gain must exceed
_CELLS = 1 << 24  # scores in memory at once


class ProbeQueries(NamedTuple):
    """Users of train with an earlier history and a later item; the figures are those of the item's rank."""

    history: np.ndarray  # int32 [queries, 10], latest last, -1 where shorter
    target: np.ndarray  # int32 [queries], an item that is not in the history
    items: np.ndarray  # int32, the items that are ranked: all with a relevant event in train


class ProbeResult(NamedTuple):
    """Mean reciprocal ranks with the encoder before and after, and the mean difference with its standard error."""

    before: float
    after: float
    standard_error: float
    queries: int

    @property
    def difference(self) -> float:
        """Mean over the queries of the reciprocal rank after less that before."""
        return self.after - self.before

    @property
    def gains(self) -> bool:
        """Whether the gain exceeds a standard error, so that chance alone would show it in one of six cases."""
        return self.difference > _STANDARD_ERRORS * self.standard_error


def probe_queries(corpus: Corpus, seed: int) -> ProbeQueries:
    """Return queries of at most 2,000 users drawn by `seed`: the last relevant train event of each, and those before.

    The order is that of the timelines, logged histories included.
    """
    rows = corpus.timelines
    row = np.flatnonzero((rows.split == TRAIN) & corpus.relevant(rows.intensity))
    user, item = rows.user[row], rows.item[row]
    last = np.flatnonzero(np.append(user[1:] != user[:-1], True)) if len(user) else np.zeros(0, np.int64)
    order = np.random.default_rng([seed, 11]).permutation(len(last))
    histories, targets = [], []
    for place in last[order].tolist():
        first = np.searchsorted(user, user[place])
        earlier = item[max(first, place - _LATEST) : place]
        if len(earlier) and item[place] not in earlier:
            histories.append(np.pad(earlier, (_LATEST - len(earlier), 0), constant_values=-1))
            targets.append(item[place])
        if len(targets) == _MOST_USERS:
            break
    history = np.array(histories, np.int32).reshape(-1, _LATEST)
    return ProbeQueries(history, np.array(targets, np.int32), np.unique(item))


def reciprocal_ranks(vectors: np.ndarray, queries: ProbeQueries) -> np.ndarray:
    """Return 1 / rank of each target among the items outside the history, by the cosine with the history's mean.

    Vectors are centred by their mean over the items first, since those of encoders share a direction. Items that tie
    with the target rank before it.

    Args:
        vectors: float32 [items of the corpus, width].

    Returns:
        float64 [queries].
    """
    units = vectors - vectors[queries.items].mean(axis=0)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    candidates = units[queries.items]
    column = np.searchsorted(queries.items, queries.history)
    found = np.empty(len(queries.target))
    size = max(_CELLS // max(len(queries.items), 1), 1)
    for start in range(0, len(found), size):
        rows = slice(start, start + size)
        present = queries.history[rows] >= 0
        means = np.einsum("ql,qlw->qw", present, units[queries.history[rows]]) / present.sum(axis=1, keepdims=True)
        scores = means @ candidates.T
        target = np.searchsorted(queries.items, queries.target[rows])
        own = np.take_along_axis(scores, target[:, None], axis=1)
        ahead = scores >= own
        query = np.nonzero(present)[0]
        ahead[query, column[rows][present]] = False
        found[rows] = 1.0 / np.maximum(ahead.sum(axis=1), 1)  # the target itself is among those not below it
    return found


def compare(before: np.ndarray, after: np.ndarray, queries: ProbeQueries) -> ProbeResult:
    """Compare the vectors of an encoder before and after its adaptation; both are as in `reciprocal_ranks`."""
    first, second = reciprocal_ranks(before, queries), reciprocal_ranks(after, queries)
    error = float(np.std(second - first, ddof=1) / np.sqrt(len(first))) if len(first) > 1 else np.inf
    return ProbeResult(float(first.mean()), float(second.mean()), error, len(first))
