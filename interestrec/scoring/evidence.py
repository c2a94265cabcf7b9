"""Evidence for blend weights: lists of valid_blend users, and the metric of any weights on them.

Weights are fitted on the items that any component ranks among its first, and compared by the metric of lists over the
real candidates: all of an impression, or all of the catalogue that the rules permit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Protocol

import numpy as np

from interestrec.core import ragged
from interestrec.corpus.store import NO_TIME, Corpus
from interestrec.metrics import ranked_lists, ranking
from interestrec.metrics.topk import top_k
from interestrec.scorers import queries
from interestrec.scorers.requests import Scorer
from interestrec.scoring import catalogue_lists
from interestrec.scoring.blend import Powers, standardise_lists, standardise_rows
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.segments import SegmentWeights

WHOLE, WARM, COLD = "all items", "items with events", "items without events"  # what the lists consist of
FOLDS = 3
_FIRST = 50  # of each component; on Online Retail's valid_blend better than 20, 100, 200 and than all items
_IMPRESSIONS = 20_000  # that weights are fitted on and compared on; further ones are left out at regular intervals
_KEPT_BYTES = 1 << 30  # of standardised scores in memory; beyond it they are computed again for each comparison


@dataclass(frozen=True)
class Contest:
    """Alternative weights that are compared on the same lists; those of a fold were fitted on the other folds."""

    lists: np.ndarray  # bool [lists]
    among: str  # WHOLE, WARM or COLD
    alternatives: Sequence[Sequence[SegmentWeights]]  # [folds][alternatives]

    def scores(self, fold: np.ndarray, parts: Sequence[np.ndarray], cold: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the scores by each alternative, float64 in the shape of the parts; 0 outside the contest.

        Args:
            fold: int [rows], −1 outside the contest.
            parts: standardised scores of each voter, [rows, …].
            cold: bool, in the shape of the parts.
        """
        rows = {number: fold == number for number in range(len(self.alternatives)) if (fold == number).any()}
        powers = {number: Powers([part[at] for part in parts]) for number, at in rows.items()}
        for alternative in range(len(self.alternatives[0])):
            score = np.zeros(parts[0].shape)
            for number, at in rows.items():
                score[at] = self.alternatives[number][alternative](powers[number], cold[at])
            yield score


class Evidence(Protocol):
    """Lists of valid_blend users; all lists of a user are of one fold."""

    @property
    def metric(self) -> str:
        """Name of the metric."""

    @property
    def new(self) -> np.ndarray:
        """bool [lists], of users without a history."""

    @property
    def user(self) -> np.ndarray:
        """int [lists]"""

    @property
    def weight(self) -> np.ndarray:
        """float64 [lists], > 0; later lists count more."""

    def proposals(self, among: str) -> BlendLists:
        """Return the lists that weights are fitted on, of WHOLE, WARM or COLD items."""

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """Return the metric by each alternative; float64 [alternatives, lists] of each contest, NaN without a value."""


def folds(user: np.ndarray) -> np.ndarray:
    """The fold of each list by its user; int64 [lists]."""
    return np.unique(user, return_inverse=True)[1] % FOLDS


def time_weights(time: np.ndarray) -> np.ndarray:
    """float64 [lists]: 2^(−age / span of all times), so that the latest lists count twice as much as the earliest.

    What comes next resembles the latest lists most; where little drifts, such weights cost little.

    Args:
        time: int64 [lists], microseconds; lists without a time count like the latest.
    """
    known = time != NO_TIME
    if not known.any() or time[known].max() == time[known].min():
        return np.ones(len(time))
    span = float(time[known].max() - time[known].min())
    return np.exp2(np.where(known, time - time[known].max(), 0) / span)


@dataclass(frozen=True)
class ImpressionEvidence:
    """Impressions with at least two candidates, judged by auc."""

    lists: BlendLists
    new: np.ndarray
    user: np.ndarray
    metric: str = "auc"

    @property
    def weight(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.weight

    def proposals(self, among: str) -> BlendLists:
        """See Evidence; all candidates."""
        return self.lists if among == WHOLE else self.lists.keep(self.lists.cold == (among == COLD))

    def select_voters(self, kept: Sequence[bool]) -> "ImpressionEvidence":
        """Return the same lists with some of the voters."""
        return replace(self, lists=self.lists.with_features(self.lists.features[:, kept]))

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """See Evidence."""
        found = []
        for contest in contests:
            lists = self.proposals(contest.among)
            lists = lists.select(contest.lists[lists.source])
            fold = ragged.repeat(lists.offsets, folds(self.user)[lists.source])
            values = np.full((len(contest.alternatives[0]), len(self.user)), np.nan)
            for number, score in enumerate(contest.scores(fold, list(lists.features.T), lists.cold)):
                ranked = ranked_lists.rank_lists(lists.offsets, score, lists.relevant, lists.relevant * 1.0)
                values[number, lists.source] = ranking.metric(self.metric)(ranked)
            found.append(values)
        return found


def impression_evidence(corpus: Corpus, scores: Sequence[np.ndarray]) -> ImpressionEvidence:
    """Return the impressions of valid_blend.

    Args:
        scores: of each voter those of all candidates of the validation impressions of valid_blend.
    """
    impression = queries.valid_impressions(corpus, select=False)
    asked = queries.impression_queries(corpus, impression)
    several = np.flatnonzero(np.diff(asked.offsets) > 1)
    several = several[:: max(1, -(-len(several) // _IMPRESSIONS))]
    shown = corpus.impressions
    everything = BlendLists(
        features=np.stack([standardise_lists(score, asked.offsets) for score in scores], axis=1),
        offsets=asked.offsets,
        relevant=corpus.relevant(shown.label[asked.rows]),
        cold=corpus.cold_items(queries.VALID)[shown.item[asked.rows]],
        weight=np.ones(len(impression)),
        source=np.arange(len(impression)),
    )
    chosen = everything.select(np.isin(everything.source, several))
    time = shown.time[impression][several]
    return ImpressionEvidence(
        lists=replace(chosen, weight=time_weights(time), source=np.arange(len(chosen))),
        new=asked.without_history[several],
        user=shown.user[impression][several],
    )


@dataclass
class CatalogueEvidence:
    """Lists over the whole catalogue, judged by ndcg@10."""

    lists: CatalogueLists
    voters: Sequence[Scorer]
    known_items: np.ndarray  # bool [items], the items that define the scale of catalogue scores
    metric: str = catalogue_lists.METRIC
    _kept: dict[int, list[np.ndarray]] = field(default_factory=dict)
    _proposals: dict[str, BlendLists] = field(default_factory=dict)

    @property
    def new(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.new

    @property
    def user(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.requests.user

    @property
    def weight(self) -> np.ndarray:
        """See Evidence."""
        return time_weights(self.lists.time)

    def proposals(self, among: str) -> BlendLists:
        """See Evidence; what any voter has among its first 50.

        No other item can come first in a blend; left in, relevant ones among them would flatten the weights.
        """
        if not self._proposals:
            first, of_cold = (_ListRows(self.weight, len(self.voters)) for _ in range(2))
            for start, stop, parts in self._parts():
                permitted = self.lists.permitted(start, stop)
                relevant = self.lists.relevant(start, stop)
                for rows, items in ((first, permitted), (of_cold, permitted & self.lists.cold)):
                    rows.add(self._first(parts, items), parts, relevant, self.lists.cold)
            whole = first.lists()
            self._proposals |= {WHOLE: whole, WARM: whole.keep(~whole.cold), COLD: of_cold.lists()}
        return self._proposals[among]

    def select_voters(self, kept: Sequence[bool]) -> "CatalogueEvidence":
        """Return the same lists with some of the voters."""
        voters = list(compress(self.voters, kept))
        parts = {start: list(compress(block, kept)) for start, block in self._kept.items()}
        return CatalogueEvidence(self.lists, voters, self.known_items, self.metric, parts)

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """See Evidence."""
        lists, fold = self.lists, folds(self.user)
        among = {WHOLE: None, WARM: ~lists.cold, COLD: lists.cold}
        found = [np.full((len(contest.alternatives[0]), len(lists)), np.nan) for contest in contests]
        for start, stop, parts in self._parts():
            cold = np.broadcast_to(lists.cold, parts[0].shape)
            for contest, values in zip(contests, found, strict=True):
                inside = contest.lists[start:stop]
                if inside.any():
                    of_row = np.where(inside, fold[start:stop], -1)
                    for number, score in enumerate(contest.scores(of_row, parts, cold)):
                        value = lists.values(score, start, stop, among[contest.among])
                        values[number, start:stop] = np.where(inside, value, np.nan)
        return found

    def _parts(self) -> Iterator[tuple[int, int, list[np.ndarray]]]:
        """Yield blocks of standardised scores, float32 [requests, items] of each voter."""
        cells = len(self.lists) * len(self.known_items) * len(self.voters)
        for start, stop in self.lists.blocks(len(self.voters)):
            parts = self._kept.get(start)
            if parts is None:
                block = self.lists.requests.block(start, stop)
                parts = [standardise_rows(voter.score_catalogue(block), self.known_items) for voter in self.voters]
                if 4 * cells <= _KEPT_BYTES:
                    self._kept[start] = parts
            yield start, stop, parts

    def _first(self, parts: Sequence[np.ndarray], permitted: np.ndarray) -> np.ndarray:
        """bool [requests, items]: any voter has the item among its first permitted ones."""
        first = np.zeros(permitted.shape, dtype=bool)
        row = np.arange(len(permitted))[:, None]
        for part in parts:
            first[row, top_k(np.where(permitted, part, -np.inf), _FIRST, self.lists.tie_order)] = True
        return first & permitted


@dataclass
class _ListRows:
    """Rows of lists, added block by block."""

    weight: np.ndarray  # float64 [all lists]
    voters: int
    _size: list[np.ndarray] = field(default_factory=list)
    _features: list[np.ndarray] = field(default_factory=list)
    _relevant: list[np.ndarray] = field(default_factory=list)
    _cold: list[np.ndarray] = field(default_factory=list)

    def add(self, cells: np.ndarray, parts: Sequence[np.ndarray], relevant: np.ndarray, cold_items: np.ndarray) -> None:
        """Add the chosen cells, bool [requests, items], of the next requests."""
        request, item = np.nonzero(cells)
        self._size.append(np.bincount(request, minlength=len(cells)))
        self._features.append(np.stack([part[request, item] for part in parts], axis=1))
        self._relevant.append(relevant[request, item])
        self._cold.append(cold_items[item])

    def lists(self) -> BlendLists:
        """Return the lists with any row."""
        size = np.concatenate([np.zeros(0, np.int64), *self._size])
        filled = size > 0
        return BlendLists(
            features=np.concatenate([np.zeros((0, self.voters), np.float32), *self._features]),
            offsets=ragged.from_lengths(size[filled]),
            relevant=np.concatenate([np.zeros(0, dtype=bool), *self._relevant]),
            cold=np.concatenate([np.zeros(0, dtype=bool), *self._cold]),
            weight=self.weight[filled],
            source=np.flatnonzero(filled),
        )
