"""Scores and places of items when events are removed from the histories of requests.

The whole decision scores each request again; nothing is approximated. What was fitted stays as it is: the question is
what the list would be if the person had come without these events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from interestrec.answering.asked import Asked
from interestrec.answering.recommender import Recommender
from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.io.schemas import OURS
from interestrec.scorers.requests import ReadsLatest, Requests, Scorer, request_blocks
from interestrec.scoring.decision import Decision, voters
from interestrec.scoring.ensemble import Ensemble

_ENTRIES = 1 << 22  # history entries of one block


@dataclass(frozen=True)
class RemovalSets:
    """Sets of events that are removed, each from the history of one request; a set may be empty."""

    request: np.ndarray  # int64 [sets], row of the requests
    offsets: np.ndarray  # int64 [sets + 1] into `event`
    event: np.ndarray  # int64, places in the history, from 0 for the oldest event

    def __len__(self) -> int:
        return len(self.request)

    @classmethod
    def of(cls, request: np.ndarray, sets: list[np.ndarray]) -> "RemovalSets":
        """Return sets, int64 [events] each, of the requests int64 [sets]."""
        event = np.concatenate([np.zeros(0, np.int64), *sets])
        return cls(request, ragged.from_lengths(np.array([len(events) for events in sets], np.int64)), event)

    def block(self, start: int, stop: int) -> "RemovalSets":
        """Return the sets `start` to `stop`, exclusive."""
        first, last = self.offsets[start], self.offsets[stop]
        return RemovalSets(self.request[start:stop], self.offsets[start : stop + 1] - first, self.event[first:last])

    def rest(self, requests: Requests) -> Requests:
        """Return one request per set, without the events of the set."""
        complete = requests.rows(self.request)
        kept = np.ones(len(complete.item), dtype=bool)
        kept[ragged.repeat(self.offsets, complete.offsets[:-1]) + self.event] = False
        return complete.entries(kept)


class Measured(NamedTuple):
    """Of each set and each item of its request, [sets, items of a request]."""

    score: np.ndarray  # float64, by the rules of the complete history
    place: np.ndarray  # int64, from 1, among what the list may hold, before it is reranked; 0 for an item it may not
    listed: np.ndarray  # bool: the item is among the first k of the list


def leave_one_out(requests: Requests) -> RemovalSets:
    """Return, for each request, the empty set and then one set per event, from the oldest."""
    owner, place = requests.owner, ragged.positions(requests.offsets)
    request = np.concatenate([np.arange(len(requests)), owner])
    length = np.concatenate([np.zeros(len(requests), np.int64), np.ones(len(owner), np.int64)])
    order = np.argsort(request, kind="stable")
    return RemovalSets(request[order], ragged.from_lengths(length[order]), place)


def decision_of(ensemble: Ensemble) -> Decision:
    """Return the decision of the system `interestrec`.

    Raises:
        ArtifactError: the ensemble has none.
    """
    decision = ensemble.systems.get(OURS)
    if not isinstance(decision, Decision):
        raise ArtifactError(f"the decision has no system {OURS} to explain; run `interestrec rank --force`")
    return decision


def decision_parts(ensemble: Ensemble, requests: Requests) -> dict[str, np.ndarray]:
    """Return the scores of the decision's voters, float32 [requests, items] by scorer."""
    names = dict.fromkeys(voters(decision_of(ensemble).components).values())
    return {name: catalogue_scores(ensemble.scorers[name], requests) for name in names}


def catalogue_scores(scorer: Scorer, requests: Requests) -> np.ndarray:
    """Return the scores of a scorer, float32 [requests, items]; requests that it reads alike are scored once.

    Most histories without one older event are alike to a scorer that reads the latest events alone.
    """
    if not isinstance(scorer, ReadsLatest):
        return scorer.score_catalogue(requests)
    read, row = requests.latest(scorer.history_length).distinct()
    return scorer.score_catalogue(read)[row]


def measure(recommender: Recommender, asked: Asked, sets: RemovalSets, item: np.ndarray) -> Measured:
    """Score the requests without the events of each set.

    The rules apply to the complete history: the item of a removed event does not become a candidate itself.

    Args:
        item: int64 [requests, items of a request].
    """
    shape = (len(sets), item.shape[1])
    found = Measured(np.empty(shape), np.empty(shape, np.int64), np.empty(shape, dtype=bool))
    decision = decision_of(recommender.ensemble)
    for start, stop in set_blocks(asked.requests, sets, recommender.log.items.num_rows):
        block = sets.block(start, stop)
        rest, wanted = block.rest(asked.requests), item[block.request]
        score = decision.score_catalogue(decision_parts(recommender.ensemble, rest), rest)
        rows = np.arange(len(wanted))[:, None]
        before_rules = score[rows, wanted]
        recommender.apply_rules(score, asked.rows(block.request))
        permitted = score[rows, wanted] > -np.inf
        place = recommender.places(score, np.repeat(rows, wanted.shape[1]), wanted.ravel()).reshape(wanted.shape)
        found.score[start:stop] = np.where(permitted, score[rows, wanted], before_rules)
        found.place[start:stop] = np.where(permitted, place, 0)
        found.listed[start:stop] = _listed(recommender, score, wanted, found.place[start:stop], asked.k)
    return found


def _listed(recommender: Recommender, score: np.ndarray, item: np.ndarray, place: np.ndarray, k: int) -> np.ndarray:
    if not recommender.rules.reranks:
        return (place > 0) & (place <= k)
    lists = recommender.builder.lists(score)[:, :k]
    return (item[:, :, None] == lists[:, None, :]).any(axis=2)


def set_blocks(requests: Requests, sets: RemovalSets, n_items: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of sets whose scores and whose histories fit in memory."""
    longest = int(np.diff(requests.offsets).max(initial=1))
    for start, stop in request_blocks(len(sets), n_items):
        step = max(_ENTRIES // max(longest, 1), 1)
        for first in range(start, stop, step):
            yield first, min(first + step, stop)
