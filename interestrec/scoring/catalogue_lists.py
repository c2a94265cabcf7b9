"""Lists of validation users over the whole catalogue, and their metric: what choices between scores are made by.

A list holds every item that the rules permit. None is put in or left out because it is relevant, so the metric is that
of `evaluate` on the lists that `rank` would have written at the start of the validation split.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.catalogue_rows import catalogue_rows
from interestrec.scorers.permitted_items import PermittedItems
from interestrec.scorers.queries import RequestTruth
from interestrec.scorers.requests import Requests, Scorer, request_blocks
from interestrec.scoring.list_limits import ListLimits
from interestrec.scoring.rank_settings import RankSettings
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
    candidates: int | None = None  # best items of each component that lists are made of; None: all items are scored

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def new(self) -> np.ndarray:
        """bool [requests], whether the history is empty."""
        return np.diff(self.requests.offsets) == 0

    def blocks(self, components: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of requests that are small enough for a dense matrix of each component."""
        return request_blocks(len(self), len(self.cold) * components)

    @cached_property
    def permitted_items(self) -> PermittedItems:
        """The items that lists may hold."""
        return PermittedItems(self.rules.eligible, self.tie_order)

    def limits(self, start: int, stop: int) -> ListLimits:
        """Return what the lists of these requests may hold."""
        return ListLimits(self.rules, self.owned.block(start, stop), self.permitted_items)

    def permitted(self, start: int, stop: int) -> np.ndarray:
        """bool [stop − start, items]: what the lists of these requests may hold."""
        score = np.zeros((stop - start, len(self.cold)))
        self.rules.apply(score, self.owned.block(start, stop))
        return score > -np.inf

    def relevant(self, start: int, stop: int) -> np.ndarray:
        """bool [stop − start, items]"""
        return self.truth.matrix(np.ones(len(self.truth.item), dtype=bool), start, stop, len(self.cold))

    def scorer_values(self, scorer: Scorer) -> np.ndarray:
        """Return ndcg@10 of the lists that a scorer makes alone, float64 [requests]."""
        values, total = [np.zeros(0)], self.relevant_counts()
        for start, stop in self.blocks(1):
            requests = self.requests.block(start, stop)
            if self.candidates is None:
                values.append(self.values(scorer.score_catalogue(requests), start, stop))
                continue
            rows = catalogue_rows(scorer, requests)
            best = rows.best(self.length, self.permitted_items, self.limits(start, stop).excluded)
            item = self.permitted_items.in_tie_order(best)
            score = np.zeros(item.shape)
            row, column = np.nonzero(item >= 0)
            score[row, column] = rows.at(row, item[row, column])
            relevant = self.relevant_among(item, start, stop)
            values.append(self.candidate_values(score, item, relevant, total[start:stop]))
        return np.concatenate(values)

    def values(self, score: np.ndarray, start: int, stop: int, among: np.ndarray | None = None) -> np.ndarray:
        """Return ndcg@10 of the lists of requests `start` to `stop`; float64, NaN for lists without a relevant item.

        Args:
            score: float [stop − start, items].
            among: bool [items], the only items that lists and truth consist of; None: all.
        """
        score = score.astype(np.float64)
        self.rules.apply(score, self.owned.block(start, stop))
        relevant, order = self.relevant(start, stop), self.tie_order
        if among is not None:
            score, relevant, order = score[:, among], relevant[:, among], order[among]
        return self._values(score, relevant, np.count_nonzero(relevant, axis=1), order)

    def candidate_values(
        self,
        score: np.ndarray,
        item: np.ndarray,
        relevant: np.ndarray,
        total: np.ndarray,
        among: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return ndcg@10 of lists of candidates, as `values` does; relevant items that are no candidates are missed.

        Args:
            score: float [requests, columns].
            item: int64 [requests, columns], permitted items in tie order, −1 for none.
            relevant: bool [requests, columns], see `relevant_among`.
            total: int64 [requests], see `relevant_counts`.
            among: see `values`.
        """
        listed = item >= 0 if among is None else (item >= 0) & among[item]
        return self._values(np.where(listed, score, -np.inf), relevant, total, np.arange(item.shape[1]))

    def relevant_counts(self, among: np.ndarray | None = None) -> np.ndarray:
        """int64 [all requests]: the number of relevant items, of those in `among`, bool [items]; None: of all."""
        wanted = slice(None) if among is None else among[self.truth.item]
        return np.bincount(self.truth.request[wanted], minlength=len(self))

    def relevant_among(self, item: np.ndarray, start: int, stop: int) -> np.ndarray:
        """bool in the shape of `item`, int64 [stop − start, columns], −1 for none."""
        n_items = len(self.cold)
        first, last = np.searchsorted(self.truth.request, [start, stop])
        cells = (self.truth.request[first:last] - start) * n_items + self.truth.item[first:last]
        return (item >= 0) & np.isin(np.arange(stop - start)[:, None] * n_items + item, cells)

    def _values(self, score: np.ndarray, relevant: np.ndarray, total: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return ndcg@10 of lists of the columns whose score, float64 [requests, columns], is above −inf.

        Args:
            relevant: bool [requests, columns].
            total: int64 [requests], relevant items, in a column or not.
            order: [columns], the tie order.
        """
        if score.shape[1] == 0:
            return np.where(total > 0, 0.0, np.nan)
        top = top_k(score, self.length, order)
        row = np.arange(len(score))[:, None]
        listed = score[row, top] > -np.inf
        hits = relevant[row, top][listed]
        owner = np.repeat(np.arange(len(score)), total)
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
    corpus: Corpus, rules: Rules, tie_order: np.ndarray, settings: RankSettings, *, select: bool, seed: int
) -> CatalogueLists:
    """Return the lists of validation users who have a relevant item that a list may hold.

    Items that are seen for the first time in the test split are no part of the catalogue yet.

    Args:
        rules: those of lists at the start of the validation split.
        tie_order: [items], distinct.
        settings: with the length of the lists, and whether all items are scored for them.
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
        length=settings.top_k,
        candidates=settings.candidates_among(corpus.items.num_rows),
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
