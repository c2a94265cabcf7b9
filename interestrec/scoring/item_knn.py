"""Item-item collaborative filtering: what users of the history's items also had."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from interestrec.scoring.interactions import at_candidates, matrix_of_events, matrix_of_histories
from interestrec.scoring.requests import Events, Requests

_BLOCK = 1024  # items whose similarities are dense at one time


@dataclass(frozen=True)
class ItemKnn:
    """Sum of the similarities of a candidate to the distinct positive items of the history."""

    similarity: sparse.csr_matrix  # float32 [items, items], row = item of the history
    relevant_from: float

    def score_catalogue(self, requests: Requests) -> np.ndarray:
        """float32 [requests, items]"""
        positive = requests.intensity >= self.relevant_from
        history = matrix_of_histories(requests, positive, self.similarity.shape[0])
        history.data[:] = 1.0
        return (history @ self.similarity).toarray()

    def score_candidates(self, requests: Requests, offsets: np.ndarray, item: np.ndarray) -> np.ndarray:
        """float32 [len(item)]"""
        return at_candidates(self.score_catalogue(requests), offsets, item)


def fit(events: Events, relevant_from: float, neighbours: int, shrinkage: float) -> ItemKnn:
    """Cosine of the items' sets of users, shrunk towards 0 where they are small.

    s(i, j) = |U_i ∩ U_j| / (√(|U_i| |U_j|) + shrinkage) (Deshpande and Karypis 2004; shrinkage as in Bell and
    Koren 2007). Each item j keeps its `neighbours` most similar items i, ties by the lower number.

    Args:
        events: positive events; how often a user had an item does not matter.
        relevant_from: least intensity of a history entry that counts.
    """
    seen = matrix_of_events(events)
    seen.data[:] = 1.0
    size = np.asarray(seen.sum(axis=0), dtype=np.float64).ravel()
    users_of = seen.T.tocsr()
    columns = []
    for start in range(0, events.n_items, _BLOCK):
        shared = (users_of[start : start + _BLOCK] @ seen).tocoo()
        row, column = shared.row + start, shared.col
        value = shared.data / (np.sqrt(size[row] * size[column]) + shrinkage)
        other = row != column
        columns.append(_nearest(row[other], column[other], value[other], neighbours))
    row, column, value = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    shape = (events.n_items, events.n_items)
    similarity = sparse.csr_matrix((value.astype(np.float32), (column, row)), shape=shape)
    similarity.sort_indices()
    return ItemKnn(similarity, relevant_from)


def _nearest(
    row: np.ndarray, column: np.ndarray, value: np.ndarray, neighbours: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The `neighbours` largest values of each row."""
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    first = np.searchsorted(row, row)  # `row` is sorted: where each row's entries begin
    kept = np.arange(len(row)) - first < neighbours
    return row[kept], column[kept], value[kept]
