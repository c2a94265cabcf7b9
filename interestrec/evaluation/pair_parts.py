"""Which relevant items of the test split had followed a recent item before: memorised and generalised pairs.

A recommender memorises what it has seen together and generalises where it has seen nothing (Cheng et al., "Wide & Deep
Learning for Recommender Systems", 2016).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.evaluation.list_metrics import ListTruth
from interestrec.evaluation.population import sorted_distinct
from interestrec.evaluation.slices import PAIR_NEW, PAIR_SEEN, Slice
from interestrec.io.schemas import TEST
from interestrec.scorers.requests import Requests

RECENT = 10  # last entries of a history that make pairs with an item
NEITHER, NEW, SEEN = -1, 0, 1
PARTS = {PAIR_SEEN: SEEN, PAIR_NEW: NEW}
_BLOCK = 1 << 18  # items whose histories are expanded together


@dataclass(frozen=True)
class PairParts:
    """The part of each relevant item: SEEN, NEW, or NEITHER where the item is not relevant or the history is empty.

    The relevant item j of a request is SEEN if i → j holds for one of the RECENT last entries i of the history, and NEW
    otherwise. i → j holds if, in train or valid, an event of j by any user had i among the RECENT last entries of its
    history. Events and entries with an intensity of 0 make no pairs.
    """

    truth: np.ndarray  # int8 [truths], by the rows of the ListTruth
    impression_id: pa.Array  # string [impressions], those of test with several candidates
    cell: np.ndarray  # int64 [relevant candidates], ascending: row of `impression_id` · items + item
    shown: np.ndarray  # int8 [relevant candidates]
    n_items: int

    def of_candidates(self, impression_id: pa.Array, owner: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return the parts of the candidates of impressions; int8 [candidates].

        Args:
            impression_id: string [lists], plain or as a dictionary.
            owner: int64 [candidates], the list of each candidate.
            item: int64 [candidates].
        """
        row = pc.index_in(impression_id.cast(pa.string()), value_set=self.impression_id).fill_null(-1)
        at, found = positions(self.cell, row.to_numpy().astype(np.int64)[owner] * self.n_items + item)
        part = np.full(len(item), NEITHER, np.int8)
        part[found] = self.shown[at[found]]
        return part

    def slices(self) -> list[Slice]:
        """Return the slices that have a relevant item; members are relevant items, of the truth and of impressions."""
        made = (Slice(name, "pairs", np.append(self.truth, self.shown) == part) for name, part in PARTS.items())
        return [part for part in made if part.members.any()]


@dataclass(frozen=True)
class HistoryRanges:
    """Items with their histories, as ranges of entries."""

    entry: np.ndarray  # int [entries], items; −1 where an entry makes no pair
    start: np.ndarray  # int64 [n], of the entries
    end: np.ndarray  # int64 [n], exclusive
    item: np.ndarray  # int [n]

    def pairs(self, n_items: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield i · items + j for the RECENT last entries i before each item j, in blocks of items.

        Yields:
            int64 [block, RECENT], and bool in the same shape: whether there is such an entry.
        """
        for first in range(0, len(self.item), _BLOCK):
            rows = slice(first, first + _BLOCK)
            start = np.maximum(self.start[rows], self.end[rows] - RECENT)
            position, inside = ragged.padded(start, self.end[rows], RECENT)
            entry = self.entry[position] if len(self.entry) else np.full(position.shape, -1)
            yield entry * np.int64(n_items) + self.item[rows, None], inside & (entry >= 0)

    def select(self, rows: np.ndarray) -> "HistoryRanges":
        """Return some of the items, by number or mask."""
        return HistoryRanges(self.entry, self.start[rows], self.end[rows], self.item[rows])


def find_parts(corpus: Corpus, requests: Requests, truth: ListTruth) -> PairParts:
    """Look up the relevant items of the catalogue's requests and of the test impressions in train and valid.

    Memory holds at most RECENT keys of 8 bytes per relevant item, never a matrix of items by items.

    Args:
        requests: those of the truth's users, in their order.
    """
    shown, n_items = corpus.impressions, corpus.items.num_rows
    user = ragged.owner(truth.offsets)[truth.relevant]
    known = _paired(requests.item, requests.intensity)
    of_users = HistoryRanges(known, requests.offsets[user], requests.offsets[user + 1], truth.item[truth.relevant])

    impression = np.flatnonzero((shown.split == TEST) & (np.diff(shown.offsets) > 1))
    candidate_offsets, candidate = ragged.take(shown.offsets, impression)
    relevant = corpus.relevant(shown.label[candidate])
    row, item = ragged.owner(candidate_offsets)[relevant], shown.item[candidate[relevant]]
    cell, first = np.unique(row * n_items + item, return_index=True)
    in_lists = _targets(corpus, impression[row[first]], item[first])

    asked = [key[valid] for ranges in (of_users, in_lists) for key, valid in ranges.pairs(n_items)]
    pairs = sorted_distinct(np.concatenate([np.zeros(0, np.int64), *asked]))
    happened = _happened(corpus, pairs)
    part = np.full(len(truth.item), NEITHER, np.int8)
    part[truth.relevant] = _parts(of_users, pairs, happened, n_items)
    return PairParts(
        truth=part,
        impression_id=corpus.impression_ids.take(pa.array(impression)).combine_chunks(),
        cell=cell,
        shown=_parts(in_lists, pairs, happened, n_items),
        n_items=n_items,
    )


def positions(ordered: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each value among distinct ascending ones, int64 [values], and whether it is there, bool."""
    place = np.searchsorted(ordered, values)
    found = place < len(ordered)
    found[found] = ordered[place[found]] == values[found]
    return place, found


def _happened(corpus: Corpus, pairs: np.ndarray) -> np.ndarray:
    """Whether i → j holds for the pairs i · items + j, ascending; bool [pairs]."""
    shown, n_items = corpus.impressions, corpus.items.num_rows
    wanted = np.zeros(n_items, bool)
    wanted[pairs % max(n_items, 1)] = True
    owner = ragged.owner(shown.offsets)
    events = np.flatnonzero((shown.split[owner] < TEST) & (shown.label > 0) & wanted[shown.item])
    happened = np.zeros(len(pairs), bool)
    for ranges in (_targets(corpus, owner[events], shown.item[events]), _within_histories(corpus)):
        for key, valid in ranges.select(wanted[ranges.item]).pairs(n_items):
            place, found = positions(pairs, sorted_distinct(key[valid]))  # in order, which is several times faster
            happened[place[found]] = True
    return happened


def _targets(corpus: Corpus, impression: np.ndarray, item: np.ndarray) -> HistoryRanges:
    """Items with the histories of their impressions."""
    entry = _paired(corpus.timelines.item, corpus.timelines.intensity)
    return HistoryRanges(
        entry, corpus.impressions.history_start[impression], corpus.impressions.history_end[impression], item
    )


def _within_histories(corpus: Corpus) -> HistoryRanges:
    """The entries of the logged histories of train and valid, each after those before it."""
    rows, shown = corpus.timelines, corpus.impressions
    entry = _paired(rows.item, rows.intensity)
    logged = np.flatnonzero(corpus.is_logged_history & (rows.split < TEST) & (entry >= 0))
    begins = np.unique(shown.history_start[shown.history_end > shown.history_start])
    start = begins[np.searchsorted(begins, logged, side="right") - 1] if len(begins) else logged
    return HistoryRanges(entry, start, logged, rows.item[logged])


def _paired(item: np.ndarray, intensity: np.ndarray) -> np.ndarray:
    return np.where(intensity > 0, item, -1)


def _parts(ranges: HistoryRanges, pairs: np.ndarray, happened: np.ndarray, n_items: int) -> np.ndarray:
    """The parts of items, given which of all their pairs happened; int8 [n]."""
    parts = [np.zeros(0, np.int8)]
    for key, valid in ranges.pairs(n_items):
        seen = np.zeros(key.shape, bool)
        seen[valid] = happened[np.searchsorted(pairs, key[valid])]
        parts.append(np.where(seen.any(axis=1), SEEN, np.where(valid.any(axis=1), NEW, NEITHER)).astype(np.int8))
    return np.concatenate(parts)
