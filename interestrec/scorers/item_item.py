"""Item-item similarity of all items: items without events take similarities from items with similar texts."""

from __future__ import annotations

from dataclasses import replace

from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import largest_per_row
from interestrec.core.row_products import one_blas_thread
from interestrec.core.section import Count, Section
from interestrec.metrics.topk import top_k
from interestrec.scorers.content import unit_rows
from interestrec.scorers.definition import AGAIN, ScorerDefinition
from interestrec.scorers.item_knn import ItemKnn

_CELLS = 1 << 22  # cold items × warm items of one dense block


class ItemItemSettings(Section):
    """Settings of `item_item` beside those of `item_knn`, on which it is based."""

    text_neighbours: Count = 20
    """Items of the nearest texts whose similarities an item without events takes over."""


def fit(base: ItemKnn, text_vectors: np.ndarray, text_neighbours: int) -> ItemKnn:
    """Fill in the similarities of cold items, those without positive events, from their texts.

    The similarity of a cold item j to i is the mean similarity to i of the `text_neighbours` warm items n whose texts
    are nearest to that of j, weighted by the cosine c of the texts,

        s(i, j) = Σ_n c(j, n) s(i, n) / Σ_n c(j, n),   s(n, n) = 1,

    so that the items n themselves are similar to j. Each cold item keeps as many neighbours as `base` does. Columns of
    warm items are unchanged; a cold item without text, or without a positive c, has no similar items.

    Args:
        text_vectors: float32 [items, width], vectors of the texts; zeros for items without text.
    """
    unit = unit_rows(text_vectors)
    has_text = unit.any(axis=1)
    warm, cold = np.flatnonzero(base.warm & has_text), np.flatnonzero(~base.warm & has_text)
    if len(warm) == 0 or len(cold) == 0:
        return base
    by_column = base.similarity.T.tocsr()
    parts = []
    step = max(1, _CELLS // len(warm))
    for start in range(0, len(cold), step):
        block = cold[start : start + step]
        like = _nearest_texts(unit, block, warm, text_neighbours)
        entries = largest_per_row((like @ by_column + like).tocsr(), base.neighbours).tocoo()
        parts.append((block[entries.row], entries.col, entries.data))
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    filled = sparse.csr_matrix((value.astype(np.float32), (column, row)), shape=base.similarity.shape)
    return replace(base, similarity=(base.similarity + filled).tocsr())


def _nearest_texts(unit: np.ndarray, cold: np.ndarray, warm: np.ndarray, neighbours: int) -> sparse.csr_matrix:
    """float64 [cold, items]: weights of the nearest warm items; rows sum to 1, ties go to the lower row."""
    with one_blas_thread():
        cosine = unit[cold] @ unit[warm].T
    nearest_warm = top_k(cosine, neighbours, np.arange(len(warm)))
    value = np.maximum(np.take_along_axis(cosine, nearest_warm, axis=1), 0.0).astype(np.float64)
    total = value.sum(axis=1, keepdims=True)
    value = np.divide(value, total, out=value, where=total > 0)
    row = np.repeat(np.arange(len(cold)), nearest_warm.shape[1])
    like = sparse.csr_matrix((value.ravel(), (row, warm[nearest_warm].ravel())), shape=(len(cold), len(unit)))
    like.eliminate_zeros()
    return like


DEFINITION = ScorerDefinition(
    fit=fit,
    scorer=ItemKnn,
    fitted_on="item_knn",
    follows=AGAIN,
    needs=("text_vectors",),
    settings=ItemItemSettings,
    is_system=False,
    component="item_item",
)
