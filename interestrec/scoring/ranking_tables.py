"""Ranking tables: converts blocks of scores and lists to rows and writes them per system."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from interestrec.core import ragged
from interestrec.corpus.store import Corpus
from interestrec.io import files, schemas
from interestrec.metrics.topk import ranks
from interestrec.scorers.queries import ImpressionQueries, RequestTruth
from interestrec.scorers.requests import Requests
from interestrec.scoring.ensemble import CatalogueScores, SystemScores

Write = Callable[[str, pa.Table], None]  # appends rows of a system to a file
_ROWS = 1 << 16  # rows per row group


@dataclass(frozen=True)
class TableLayout:
    """The corpus, systems and columns of the ranking tables."""

    corpus: Corpus
    systems: Sequence[str]
    components: list[str]  # names of the columns after those of the schema
    tie_order: np.ndarray  # uint64 [items], distinct; among equal scores the lower value ranks first
    keeps_blocks: bool = False  # whether files are those of a part, see `block_writer`

    def writer(self, path: Path, schema: pa.Schema) -> AbstractContextManager[Write]:
        """Open a file for interleaved blocks of the systems."""
        return block_writer(path, schema, self.systems) if self.keeps_blocks else grouped_writer(path, schema)


def impression_block(
    layout: TableLayout, impression: np.ndarray, query: ImpressionQueries, scores: SystemScores
) -> pa.Table:
    """Return rows of schemas.RANKED_IMPRESSIONS with components.

    Args:
        impression: int64 [impressions], rows of the corpus's impressions.
        query: the queries of these impressions.
        scores: scores of a system, arrays [candidates].
    """
    corpus, shown = layout.corpus, layout.corpus.impressions
    offsets, rows = query.offsets, query.rows
    owner = ragged.repeat(offsets, impression)
    item, label = shown.item[rows], shown.label[rows]
    unknown = np.isnan(label)
    columns = {
        "system": _system(layout, scores.system, len(rows)),
        "impression_id": corpus.impression_ids.take(pa.array(owner)),
        "user_id": corpus.users["user_id"].take(pa.array(shown.user[owner])),
        "item_id": corpus.items["item_id"].take(pa.array(item)),
        "label": pa.array(label, mask=unknown),
        "relevant": pa.array(corpus.relevant(label), mask=unknown),
        "score": pa.array(scores.score),
        "rank": pa.array(ranks(offsets, scores.score, layout.tie_order[item])),
        "predicted": pa.array(scores.predicted),
    }
    return _table(schemas.RANKED_IMPRESSIONS, columns, layout, scores.components, len(rows))


def catalogue_block(layout: TableLayout, requests: Requests, scores: CatalogueScores, lists: np.ndarray) -> pa.Table:
    """Return rows of schemas.RANKED_CATALOGUE with components.

    Args:
        scores: scores of a system.
        lists: int64 [requests, k], columns of the items best first, −1 after the end of a list.
    """
    corpus = layout.corpus
    row, place = np.nonzero(lists >= 0)
    column = lists[row, place]
    item, score = scores.items(row, column), scores.score[row, column]
    columns = {
        "system": _system(layout, scores.system, len(row)),
        "user_id": corpus.users["user_id"].take(pa.array(requests.user[row])),
        "item_id": corpus.items["item_id"].take(pa.array(item)),
        "rank": pa.array(place.astype(np.int32) + 1),
        "score": pa.array(score),
        "predicted": pa.array(scores.predicted(row, item, score)),
    }
    return _table(schemas.RANKED_CATALOGUE, columns, layout, scores.components(row, item), len(row))


def truth_table(corpus: Corpus, requests: Requests, truth: RequestTruth, eligible: np.ndarray) -> pa.Table:
    """Return rows of schemas.TRUTH for the pairs that lists may contain; `eligible`: bool [pairs]."""
    label = truth.label[eligible]
    return pa.table(
        {
            "user_id": corpus.users["user_id"].take(pa.array(requests.user[truth.request[eligible]])),
            "item_id": corpus.items["item_id"].take(pa.array(truth.item[eligible])),
            "label": pa.array(label),
            "relevant": pa.array(corpus.relevant(label)),
        }
    )


@contextmanager
def grouped_writer(path: Path, schema: pa.Schema) -> Iterator[Write]:
    """Open a file for interleaved blocks of several systems; each row group contains rows of one system.

    The rows of a system keep their order, and a block is not divided unless it is larger than a row group.
    """
    buffers: dict[str, list[pa.Table]] = {}
    with files.parquet_writer(path, schema) as write:

        def append(system: str, table: pa.Table) -> None:
            blocks = buffers.setdefault(system, [])
            blocks.append(table.combine_chunks())  # pages of a file depend on chunks
            if sum(len(block) for block in blocks) >= _ROWS:
                write(pa.concat_tables(buffers.pop(system)))

        yield append
        for blocks in buffers.values():
            write(pa.concat_tables(blocks))


@contextmanager
def block_writer(path: Path, schema: pa.Schema, systems: Sequence[str]) -> Iterator[Write]:
    """Open a file of a part, which keeps the blocks and their order for `merge_blocks`; beside it is a list of them."""
    blocks: list[tuple[str, int]] = []
    with files.parquet_writer(path, schema) as write:

        def append(system: str, table: pa.Table) -> None:
            blocks.append((system, table.num_rows))
            write(table)

        yield append
    files.write_json(_block_list(path), {"systems": list(systems), "blocks": blocks})


def merge_blocks(parts: Sequence[Path], to: Path, schema: pa.Schema) -> None:
    """Write the file that `grouped_writer` makes of the blocks of all parts, byte for byte.

    Args:
        parts: files of `block_writer`, in the order of their requests.
    """
    with grouped_writer(to, schema) as write:
        for part in parts:
            described = files.read_json(_block_list(part))
            systems, columns = pa.array(described["systems"]), schema.names[1:]
            tables = files.stream_parquet(part, columns)
            empty = schema.empty_table().select(columns)
            for system, rows, table in _with_rows(tables, described["blocks"], empty):
                codes = np.full(rows, described["systems"].index(system), dtype=np.int32)
                names = pa.DictionaryArray.from_arrays(codes, systems)
                write(system, table.add_column(0, schema.names[0], names).cast(schema))


def _with_rows(
    tables: Iterator[pa.Table], blocks: Sequence[tuple[str, int]], rest: pa.Table
) -> Iterator[tuple[str, int, pa.Table]]:
    """Yield the system and number of rows of each block with its rows, of tables that are divided otherwise."""
    for system, rows in blocks:
        while rest.num_rows < rows:
            rest = pa.concat_tables([rest, next(tables)])
        yield system, rows, rest.slice(0, rows)
        rest = rest.slice(rows)


def _block_list(path: Path) -> Path:
    return path.with_suffix(".blocks.json")


def _table(
    schema: pa.Schema,
    columns: Mapping[str, pa.Array],
    layout: TableLayout,
    components: Mapping[str, np.ndarray],
    rows: int,
) -> pa.Table:
    schema = schemas.with_components(schema, layout.components)
    parts = {
        name: pa.array(components[name].astype(np.float32)) if name in components else pa.nulls(rows, pa.float32())
        for name in layout.components
    }
    return pa.table({**columns, **parts}).select(schema.names).cast(schema)


def _system(layout: TableLayout, system: str, rows: int) -> pa.DictionaryArray:
    codes = np.full(rows, layout.systems.index(system), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(codes, pa.array(layout.systems))
