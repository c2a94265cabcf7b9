"""CatalogueEvidence: lists over the whole catalogue that blend weights are compared on, and what they are fitted on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np

from interestrec.core import ragged
from interestrec.metrics.topk import top_k
from interestrec.scorers.requests import Scorer
from interestrec.scoring import catalogue_lists
from interestrec.scoring.blend import standardise_rows
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.evidence import COLD, WARM, WHOLE, Contest, folds, time_weights

_FIRST = 50  # of each component; on Online Retail's valid_blend better than 20, 100, 200 and than all items
_KEPT_BYTES = 1 << 30  # of standardised scores in memory; beyond it they are computed again for each comparison


@dataclass
class CatalogueEvidence:
    """Lists over the whole catalogue, judged by ndcg@10."""

    lists: CatalogueLists
    voters: Sequence[Scorer]
    known_items: np.ndarray  # bool [items], the items that define the scale of catalogue scores
    _kept: dict[int, list[np.ndarray]] = field(default_factory=dict)  # by the first request of a block
    _block_voters: int | None = None  # that a block has room for; None: all. What is kept stays in its blocks.
    _proposals: dict[str, BlendLists] = field(default_factory=dict)

    metric = catalogue_lists.METRIC

    @property
    def new(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.new

    @property
    def stand_in(self) -> np.ndarray:
        """See Evidence."""
        return self.lists.stand_in

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
        return CatalogueEvidence(self.lists, voters, self.known_items, parts, self._room)

    @property
    def _room(self) -> int:
        return self._block_voters or len(self.voters)

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
        for start, stop in self.lists.blocks(self._room):
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
