"""CatalogueEvidence: lists over the whole catalogue that blend weights are compared on, and what they are fitted on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import NamedTuple, TypeVar

import numpy as np

from interestrec.core import ragged
from interestrec.core.prefetch import prefetch
from interestrec.metrics.topk import top_k
from interestrec.scorers.catalogue_rows import catalogue_rows
from interestrec.scorers.requests import Scorer
from interestrec.scoring import catalogue_lists
from interestrec.scoring.blend import standardise_rows
from interestrec.scoring.blend_lists import BlendLists
from interestrec.scoring.catalogue_lists import CatalogueLists
from interestrec.scoring.evidence import COLD, WARM, WHOLE, Contest, folds, time_weights

_FIRST = 50  # of each component; on Online Retail's valid_blend better than 20, 100, 200 and than all items
_KEPT_BYTES = 1 << 30  # of blocks in memory; those beyond it are computed again for each comparison

T = TypeVar("T")


class EvidenceBlock(NamedTuple):
    """Lists of some requests: columns are all items, or candidates in tie order."""

    start: int
    stop: int
    parts: list[np.ndarray]  # float32 [requests, columns] of each voter, standardised
    permitted: np.ndarray  # bool [requests, columns]
    relevant: np.ndarray  # bool [requests, columns]
    cold: np.ndarray  # bool [requests, columns]
    item: np.ndarray | None  # int64 [requests, columns], −1 for none; None: a column is an item

    def select_voters(self, kept: Sequence[bool]) -> "EvidenceBlock":
        """Return the same lists with some of the voters."""
        return self._replace(parts=list(compress(self.parts, kept)))


@dataclass
class CatalogueEvidence:
    """Lists over the whole catalogue, judged by ndcg@10."""

    lists: CatalogueLists
    voters: Sequence[Scorer]
    known_items: np.ndarray  # bool [items], the items that define the scale of catalogue scores
    _kept: dict[int, EvidenceBlock] = field(default_factory=dict)  # by the first request
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
            for _, _, block in self._of_blocks(lambda block: block):
                for rows, items in ((first, block.permitted), (of_cold, block.permitted & block.cold)):
                    rows.add(self._first(block, items), block)
            whole = first.lists()
            self._proposals |= {WHOLE: whole, WARM: whole.keep(~whole.cold), COLD: of_cold.lists()}
        return self._proposals[among]

    def select_voters(self, kept: Sequence[bool]) -> "CatalogueEvidence":
        """Return the same lists with some of the voters."""
        voters = list(compress(self.voters, kept))
        blocks = {start: block.select_voters(kept) for start, block in self._kept.items()}
        return CatalogueEvidence(self.lists, voters, self.known_items, blocks, self._room)

    @property
    def _room(self) -> int:
        if self.lists.candidates is not None:  # few of the scores of all items stay in memory
            return 1
        return self._block_voters or len(self.voters)

    def compare(self, contests: Sequence[Contest]) -> list[np.ndarray]:
        """See Evidence."""
        found = [np.full((len(contest.alternatives[0]), len(self.lists)), np.nan) for contest in contests]
        cold = self.lists.cold
        kinds = {WHOLE: None, WARM: ~cold, COLD: cold}
        among = {name: (items, self.lists.relevant_counts(items)) for name, items in kinds.items()}
        for start, stop, of_block in self._of_blocks(partial(self._block_values, contests, among, folds(self.user))):
            for values, part in zip(found, of_block, strict=True):
                values[:, start:stop] = part
        return found

    def _block_values(
        self,
        contests: Sequence[Contest],
        among: Mapping[str, tuple[np.ndarray | None, np.ndarray]],
        fold: np.ndarray,
        block: EvidenceBlock,
    ) -> list[np.ndarray]:
        """Return the metric by each alternative of each contest; float64 [alternatives, requests of the block].

        Args:
            among: by WHOLE, WARM and COLD: the items, bool [items], and the numbers of relevant ones, [all requests].
            fold: int64 [all requests].
        """
        here, found = slice(block.start, block.stop), []
        for contest in contests:
            inside, (items, total) = contest.lists[here], among[contest.among]
            values = np.full((len(contest.alternatives[0]), len(inside)), np.nan)
            if inside.any():
                of_row = np.where(inside, fold[here], -1)
                for number, score in enumerate(contest.scores(of_row, block.parts, block.cold)):
                    if block.item is None:
                        value = self.lists.values(score, block.start, block.stop, items)
                    else:
                        value = self.lists.candidate_values(score, block.item, block.relevant, total[here], items)
                    values[number] = np.where(inside, value, np.nan)
            found.append(values)
        return found

    def _of_blocks(self, work: Callable[[EvidenceBlock], T]) -> Iterator[tuple[int, int, T]]:
        """Yield the first and the last row of each block, and what `work` makes of it."""
        ranges = list(self.lists.blocks(self._room))
        for (start, stop), found in zip(ranges, prefetch(ranges, lambda ends: work(self._block(*ends))), strict=True):
            yield start, stop, found

    def _block(self, start: int, stop: int) -> EvidenceBlock:
        """Return a block, which is kept while there is room."""
        block = self._kept.get(start)
        if block is None:
            block = self._all_items(start, stop) if self.lists.candidates is None else self._candidates(start, stop)
            if sum(_size(kept) for kept in list(self._kept.values())) + _size(block) <= _KEPT_BYTES:
                self._kept[start] = block
        return block

    def _all_items(self, start: int, stop: int) -> EvidenceBlock:
        requests = self.lists.requests.block(start, stop)
        parts = [standardise_rows(voter.score_catalogue(requests), self.known_items) for voter in self.voters]
        cold = np.broadcast_to(self.lists.cold, parts[0].shape)
        permitted, relevant = self.lists.permitted(start, stop), self.lists.relevant(start, stop)
        return EvidenceBlock(start, stop, parts, permitted, relevant, cold, None)

    def _candidates(self, start: int, stop: int) -> EvidenceBlock:
        """Return what any voter has among its best items with events, and among its best without."""
        lists, most = self.lists, self.lists.candidates or 0
        requests, permitted = lists.requests.block(start, stop), lists.permitted_items
        excluded = lists.limits(start, stop).excluded
        rows = [catalogue_rows(voter, requests) for voter in self.voters]
        pools = [permitted.among(~lists.cold), permitted.among(lists.cold)] if lists.cold.any() else [permitted]
        best = [part.best(most, pool, excluded) for part in rows for pool in pools]
        item = permitted.in_tie_order(np.concatenate(best, axis=1))
        row, column = np.nonzero(item >= 0)
        parts = [np.zeros(item.shape, np.float32) for _ in rows]
        for part, of_voter in zip(parts, rows, strict=True):
            moments = of_voter.moments(self.known_items)
            part[row, column] = moments.standardise(row, of_voter.at(row, item[row, column]))
        is_item = item >= 0
        return EvidenceBlock(
            start, stop, parts, is_item, lists.relevant_among(item, start, stop), lists.cold[item] & is_item, item
        )

    def _first(self, block: EvidenceBlock, permitted: np.ndarray) -> np.ndarray:
        """bool [requests, columns]: any voter has the item among its first permitted ones."""
        first = np.zeros(permitted.shape, dtype=bool)
        row = np.arange(len(permitted))[:, None]
        order = self.lists.tie_order if block.item is None else np.arange(permitted.shape[1])
        for part in block.parts:
            first[row, top_k(np.where(permitted, part, -np.inf), _FIRST, order)] = True
        return first & permitted


def _size(block: EvidenceBlock) -> int:
    """Bytes of a block; `cold` of all items is a view of one row."""
    own = [*block.parts, block.permitted, block.relevant, *([] if block.item is None else [block.item, block.cold])]
    return sum(part.nbytes for part in own)


@dataclass
class _ListRows:
    """Rows of lists, added block by block."""

    weight: np.ndarray  # float64 [all lists]
    voters: int
    _size: list[np.ndarray] = field(default_factory=list)
    _features: list[np.ndarray] = field(default_factory=list)
    _relevant: list[np.ndarray] = field(default_factory=list)
    _cold: list[np.ndarray] = field(default_factory=list)

    def add(self, cells: np.ndarray, block: EvidenceBlock) -> None:
        """Add the chosen cells, bool [requests, columns], of the next requests."""
        cell = np.nonzero(cells)
        self._size.append(np.bincount(cell[0], minlength=len(cells)))
        self._features.append(np.stack([part[cell] for part in block.parts], axis=1))
        self._relevant.append(block.relevant[cell])
        self._cold.append(block.cold[cell])

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
