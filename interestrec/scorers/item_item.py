"""Item-item similarity of all items: items without events take similarities from items with similar texts."""

from __future__ import annotations

from dataclasses import replace

from interestrec.core import ragged
from interestrec.core.deferred_import import np, sparse
from interestrec.core.largest_entries import largest_per_row
from interestrec.core.prefetch import prefetch
from interestrec.core.row_products import one_blas_thread
from interestrec.core.section import Count, Section
from interestrec.metrics.topk import top_k
from interestrec.scorers.content import unit_rows
from interestrec.scorers.definition import AGAIN, ScorerDefinition
from interestrec.scorers.item_knn import ItemKnn

_ROWS = 512  # cold items of one block
_TILE = 4096  # warm items whose products with a block are made at once: 8 MB


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
    by_column, warm_texts = base.similarity.T.tocsr(), unit[warm]

    def similarities(block: np.ndarray) -> sparse.coo_matrix:
        nearest, cosine = nearest_rows(unit[block], warm_texts, text_neighbours)
        like = _shares(warm[nearest], cosine, len(unit))
        return largest_per_row((like @ by_column + like).tocsr(), base.neighbours).tocoo()

    blocks = [cold[start : start + _ROWS] for start in range(0, len(cold), _ROWS)]
    parts = [
        (block[entries.row], entries.col, entries.data)
        for block, entries in zip(blocks, prefetch(blocks, similarities), strict=True)
    ]
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    filled = sparse.csr_matrix((value.astype(np.float32), (column, row)), shape=base.similarity.shape)
    return replace(base, similarity=(base.similarity + filled).tocsr())


def nearest_rows(rows: np.ndarray, others: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the others with the highest dot products and these, int64 and float32 [rows, min(most, others)].

    Best first, ties by the lower row. The products are made in tiles that stay in cache; after the first one, only the
    few that are above the lowest product kept so far are looked at.

    Args:
        rows: float32 [rows, width].
        others: float32 [others, width].
    """
    step = max(_TILE, most)
    with one_blas_thread():
        product = rows @ others[:step].T
        nearest = top_k(product, most, np.arange(product.shape[1]))
        best = np.take_along_axis(product, nearest, axis=1)
        for start in range(step, len(others), step):
            product = rows @ others[start : start + step].T
            row, column = np.divmod(np.flatnonzero(product > best[:, -1:]), product.shape[1])
            if len(row):
                owner = np.append(np.repeat(np.arange(len(rows)), most), row)
                value = np.append(best.ravel(), product[row, column])
                other = np.append(nearest.ravel(), column + start)
                order = np.lexsort((other, -value, owner))
                kept = order[ragged.positions(ragged.from_owner(owner[order], len(rows))) < most]
                nearest, best = other[kept].reshape(len(rows), most), value[kept].reshape(len(rows), most)
    return nearest, best


def _shares(nearest: np.ndarray, cosine: np.ndarray, n_items: int) -> sparse.csr_matrix:
    """float64 [rows, items]: the positive cosines of the nearest items as shares of their sum."""
    value = np.maximum(cosine, 0.0).astype(np.float64)
    total = value.sum(axis=1, keepdims=True)
    value = np.divide(value, total, out=value, where=total > 0)
    row = np.repeat(np.arange(len(nearest)), nearest.shape[1])
    like = sparse.csr_matrix((value.ravel(), (row, nearest.ravel())), shape=(len(nearest), n_items))
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
