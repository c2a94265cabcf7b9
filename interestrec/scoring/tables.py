"""The ranking tables, block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from interestrec.core import schemas
from interestrec.core.errors import NumericError
from interestrec.corpus.store import Corpus
from interestrec.metrics.topk import ranks, top_k
from interestrec.scoring.histories import Asked, Truth
from interestrec.scoring.requests import Requests


@dataclass(frozen=True)
class Layout:
    """What all blocks of a table share."""

    corpus: Corpus
    systems: Sequence[str]
    components: list[str]  # columns after the fixed ones, `intensity` first
    precedence: np.ndarray  # uint64 [items], who comes first among equal scores


def impression_block(
    layout: Layout,
    system: str,
    impression: np.ndarray,
    asked: Asked,
    score: np.ndarray,
    components: Mapping[str, np.ndarray],
) -> pa.Table:
    """Rows of schemas.RANKED_IMPRESSIONS with components.

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
        asked: the same impressions with their candidates.
        score: float64 [candidates].
        components: float32 [candidates] by name; those left out are null.
    """
    corpus, shown = layout.corpus, layout.corpus.impressions
    offsets, rows = asked.offsets, asked.rows
    owner = np.repeat(impression, np.diff(offsets))
    item, label = shown.item[rows], shown.label[rows]
    unknown = np.isnan(label)
    columns = {
        "system": _system(layout, system, len(rows)),
        "impression_id": shown.impression_id.take(pa.array(owner)),
        "user_id": corpus.users["user_id"].take(pa.array(shown.user[owner])),
        "item_id": corpus.items["item_id"].take(pa.array(item)),
        "label": pa.array(label, mask=unknown),
        "relevant": pa.array(corpus.relevant(label), mask=unknown),
        "score": pa.array(_finite(score, system)),
        "rank": pa.array(ranks(offsets, score, layout.precedence[item])),
    }
    return _table(schemas.RANKED_IMPRESSIONS, columns, layout, components, len(rows))


def catalogue_block(
    layout: Layout,
    system: str,
    requests: Requests,
    score: np.ndarray,
    components: Mapping[str, np.ndarray],
    k: int,
    exclude_seen: bool,
) -> pa.Table:
    """Rows of schemas.RANKED_CATALOGUE with components: each request's k best items.

    Args:
        score: float64 [requests, items]; overwritten at seen items when they are excluded.
        components: float32 [requests, items] by name; those left out are null.
    """
    corpus = layout.corpus
    _finite(score, system)
    if exclude_seen:
        score[np.repeat(np.arange(len(requests)), np.diff(requests.offsets)), requests.item] = -np.inf
    chosen = top_k(score, k, layout.precedence)
    best = np.take_along_axis(score, chosen, axis=1)
    kept = best > -np.inf
    row = np.nonzero(kept)[0]
    item = chosen[kept]
    columns = {
        "system": _system(layout, system, len(row)),
        "user_id": corpus.users["user_id"].take(pa.array(requests.user[row])),
        "item_id": corpus.items["item_id"].take(pa.array(item)),
        "rank": pa.array(np.nonzero(kept)[1].astype(np.int32) + 1),
        "score": pa.array(best[kept]),
    }
    at_chosen = {name: part[row, item] for name, part in components.items()}
    return _table(schemas.RANKED_CATALOGUE, columns, layout, at_chosen, len(row))


def truth_table(corpus: Corpus, requests: Requests, truth: Truth, exclude_seen: bool) -> pa.Table:
    """Rows of schemas.TRUTH: what the lists are judged by, without seen items where lists leave them out."""
    judged = ~truth.seen if exclude_seen else np.ones(len(truth.seen), dtype=bool)
    label = truth.label[judged]
    return pa.table(
        {
            "user_id": corpus.users["user_id"].take(pa.array(requests.user[truth.request[judged]])),
            "item_id": corpus.items["item_id"].take(pa.array(truth.item[judged])),
            "label": pa.array(label),
            "relevant": pa.array(corpus.relevant(label)),
        }
    )


def _table(
    schema: pa.Schema, columns: Mapping[str, pa.Array], layout: Layout, components: Mapping[str, np.ndarray], rows: int
) -> pa.Table:
    schema = schemas.with_components(schema, layout.components)
    parts = {
        name: pa.array(components[name].astype(np.float32)) if name in components else pa.nulls(rows, pa.float32())
        for name in layout.components
    }
    return pa.table({**columns, **parts}).select(schema.names).cast(schema)


def _system(layout: Layout, system: str, rows: int) -> pa.DictionaryArray:
    codes = np.full(rows, layout.systems.index(system), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(layout.systems))


def _finite(score: np.ndarray, system: str) -> np.ndarray:
    if not np.isfinite(score).all():
        raise NumericError(f"system '{system}' gave a score that is not a finite number; check its inputs and settings")
    return score
