"""Lists of validation users over the whole catalogue, and their metric: what choices between scores are made by.

A list holds every item that the rules permit. None is put in or left out because it is relevant, so the metric is that
of `evaluate` on the lists that `rank` would have written at the start of the validation split.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.queries import RequestTruth
from interestrec.scorers.requests import Requests, request_blocks
from interestrec.scoring.rules import Rules

METRIC = "ndcg@10"
_USERS = 2000  # whose lists choices are made by; further ones are left out at random


@dataclass(frozen=True)
class CatalogueLists:
    """Requests of validation users, their relevant items, and what their lists may hold."""

    requests: Requests  # what scorers are asked
    owned: Requests  # the same users with all that they had before, to which the rules apply
    truth: RequestTruth  # relevant pairs that a list may contain
    time: np.ndarray  # int64 [requests], microseconds of the user's first impression; NO_TIME where unknown
    rules: Rules
    cold: np.ndarray  # bool [items], without positive events before the validation split
    tie_order: np.ndarray  # [items], distinct; among equal scores the lower value ranks first
    stand_in: np.ndarray  # bool [requests], of users with a history who are asked without it
    length: int  # of the lists; beyond the metric's ranks it matters to items that are tied at its last one

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def new(self) -> np.ndarray:
        """bool [requests], whether the history is empty."""
        return np.diff(self.requests.offsets) == 0

    def blocks(self, components: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of requests that are small enough for a dense matrix of each component."""
        return request_blocks(len(self), len(self.cold) * components)

    def permitted(self, start: int, stop: int) -> np.ndarray:
        """bool [stop − start, items]: what the lists of these requests may hold."""
        score = np.zeros((stop - start, len(self.cold)))
        self.rules.apply(score, self.owned.block(start, stop))
        return score > -np.inf

    def relevant(self, start: int, stop: int) -> np.ndarray:
        """bool [stop − start, items]"""
        return self.truth.matrix(np.ones(len(self.truth.item), dtype=bool), start, stop, len(self.cold))

    def values(self, score: np.ndarray, start: int, stop: int, among: np.ndarray | None = None) -> np.ndarray:
        """Return ndcg@10 of the lists of requests `start` to `stop`; float64, NaN for lists without a relevant item.

        Args:
            score: float [stop − start, items].
            among: bool [items], the only items that lists and truth consist of; None: all.
        """
        score = score.astype(np.float64)
        self.rules.apply(score, self.owned.block(start, stop))
        targets, order = self.relevant(start, stop), self.tie_order
        if among is not None:
            score, targets, order = score[:, among], targets[:, among], order[among]
        if score.shape[1] == 0:
            return np.full(len(score), np.nan)
        top = top_k(score, self.length, order)
        row = np.arange(len(score))[:, None]
        listed = score[row, top] > -np.inf
        hits = targets[row, top][listed]
        owner = np.nonzero(targets)[0]
        every = np.ones(len(owner))
        offsets = ragged.from_lengths(listed.sum(axis=1))
        ranked = ranked_lists.rank_with_truth(
            offsets, score[row, top][listed], hits, hits * 1.0, owner, every > 0, every
        )
        return ranking.metric(METRIC)(ranked)

    def with_new_users(self, most: int) -> "CatalogueLists":
        """Return the lists with those of at most `most` of the users who have a history, asked without it.

        They stand in for new users where validation has few of them. The rules still apply to what they had, which
        their truth cannot hold.
        """
        known = np.flatnonzero(~self.new)
        chosen = known[:: max(1, -(-len(known) // most))] if len(known) else known
        offsets, pairs = ragged.take(ragged.from_owner(self.truth.request, len(self)), chosen)
        truth = RequestTruth(
            request=np.append(self.truth.request, len(self) + ragged.owner(offsets)),
            item=np.append(self.truth.item, self.truth.item[pairs]),
            label=np.append(self.truth.label, self.truth.label[pairs]),
            seen=np.append(self.truth.seen, self.truth.seen[pairs]),
        )
        return replace(
            self,
            requests=self.requests.appended(self.requests.rows(chosen).without_history()),
            owned=self.owned.appended(self.owned.rows(chosen)),
            truth=truth,
            time=np.append(self.time, self.time[chosen]),
            stand_in=np.append(self.stand_in, np.ones(len(chosen), dtype=bool)),
        )


def catalogue_lists(
    corpus: Corpus, rules: Rules, tie_order: np.ndarray, length: int, *, select: bool, seed: int
) -> CatalogueLists:
    """Return the lists of validation users who have a relevant item that a list may hold.

    Items that are seen for the first time in the test split are no part of the catalogue yet.

    Args:
        rules: those of lists at the start of the validation split.
        tie_order: [items], distinct.
        length: of the lists.
        select: whether the users are of valid_select or of valid_blend.
    """
    rules = replace(rules, eligible=rules.eligible & ~queries.first_seen(corpus, queries.TEST))
    users = queries.valid_users(corpus, select=select, most=_USERS, seed=seed)
    requests = queries.catalogue_requests(corpus, queries.VALID, users)
    truth = _wanted(corpus, requests, rules)
    users[np.delete(requests.user, np.unique(truth.request))] = False
    requests = queries.catalogue_requests(corpus, queries.VALID, users)
    return CatalogueLists(
        requests=requests,
        owned=requests,
        truth=_wanted(corpus, requests, rules),
        time=_first_times(corpus, requests),
        rules=rules,
        cold=corpus.cold_items(queries.VALID),
        tie_order=tie_order,
        stand_in=np.zeros(len(requests), dtype=bool),
        length=length,
    )


def _wanted(corpus: Corpus, requests: Requests, rules: Rules) -> RequestTruth:
    truth = queries.request_truth(corpus, requests, queries.VALID)
    wanted = corpus.relevant(truth.label) & rules.permit(truth.item, truth.seen)
    return RequestTruth(truth.request[wanted], truth.item[wanted], truth.label[wanted], truth.seen[wanted])


def _first_times(corpus: Corpus, requests: Requests) -> np.ndarray:
    shown = corpus.impressions
    rows = np.flatnonzero(shown.split == queries.VALID)
    first = np.full(corpus.users.num_rows, np.iinfo(np.int64).max)
    np.minimum.at(first, shown.user[rows], shown.time[rows])
    return first[requests.user]
