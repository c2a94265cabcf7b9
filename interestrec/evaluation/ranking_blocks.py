"""Read ranking tables block by block, with the requested columns only and ids as row numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.io import files

_ROWS = 1 << 20  # rows per lookup of ids; every lookup hashes all ids of the corpus


@dataclass(frozen=True)
class RankingBlock:
    """Whole lists of one system, in the order of the file."""

    system: str
    user: np.ndarray  # int64 [lists], rows of the corpus's users
    offsets: np.ndarray  # int64 [lists + 1]
    item: np.ndarray  # int64 [rows], rows of the corpus's items
    numbers: Mapping[str, np.ndarray]  # [rows] by column; null becomes NaN or False
    list_id: Mapping[str, pa.ChunkedArray]  # dictionary of string [lists], by the columns that identify a list

    @property
    def owner(self) -> np.ndarray:
        """The list of each row; int64 [rows]."""
        return ragged.owner(self.offsets)


@dataclass(frozen=True)
class IdNumbers:
    """The ids of users and items; an id's position is its number."""

    user: pa.Array  # string [users]
    item: pa.Array  # string [items]


def blocks(
    path: Path, list_id: Sequence[str], numbers: Sequence[str], ids: IdNumbers, system: str | None = None
) -> Iterator[RankingBlock]:
    """Read a ranking table as blocks.

    Args:
        list_id: string columns that identify a list, `user_id` among them.
        numbers: further columns to read.
        system: the system whose rows are read; None for all.

    Raises:
        ArtifactError: the file is damaged, has an unknown id, or a system's rows are not contiguous.
    """
    text_columns = ["system", *list_id, "item_id"]
    complete: list[str] = []
    for table in _whole_lists(path, [*text_columns, *numbers], text_columns, system):
        for start, stop in _runs(_codes(table["system"])):
            rows = table.slice(start, stop - start)
            name = str(rows["system"][0])
            if name in complete[:-1]:
                raise ArtifactError(f"{path}: the rows of '{name}' are not contiguous; run `interestrec rank` again")
            if name not in complete:
                complete.append(name)
            if system in (None, name):
                yield _block(path, name, rows, list_id, numbers, ids)


def _block(
    path: Path, system: str, rows: pa.Table, list_id: Sequence[str], numbers: Sequence[str], ids: IdNumbers
) -> RankingBlock:
    first = _starts([_codes(rows[name]) for name in list_id])
    values = {}
    for name in numbers:
        column = rows[name].fill_null(False) if pa.types.is_boolean(rows[name].type) else rows[name]
        values[name] = column.to_numpy()
    return RankingBlock(
        system=system,
        user=_row_numbers(path, rows["user_id"].take(pa.array(first)), ids.user),
        offsets=np.append(first, rows.num_rows),
        item=_row_numbers(path, rows["item_id"], ids.item),
        numbers=values,
        list_id={name: rows[name].take(pa.array(first)) for name in list_id},
    )


def _whole_lists(path: Path, columns: list[str], text_columns: list[str], system: str | None) -> Iterator[pa.Table]:
    """Yield tables that end where a list ends; a list may continue in the next row group."""
    list_id, filter_column = text_columns[:-1], None if system is None else ("system", system)
    parts: list[pa.Table] = []
    for part in files.stream_parquet(path, columns, text_columns, group_by="system", containing=filter_column):
        parts.append(part)
        if sum(table.num_rows for table in parts) < _ROWS:
            continue
        table = _concatenate(parts)
        last = int(_starts([_codes(table[name]) for name in list_id])[-1])
        parts = [table.slice(last)]
        if last:
            yield table.slice(0, last)
    if sum(table.num_rows for table in parts):
        yield _concatenate(parts)


def _concatenate(tables: list[pa.Table]) -> pa.Table:
    """Concatenate tables with one dictionary per column, so that equal codes mean equal strings."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    return column.combine_chunks().indices.to_numpy()


def _starts(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return the rows that differ from the previous row in any column; int64."""
    differs = np.ones(len(columns[0]), dtype=bool)
    differs[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(differs)


def _runs(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    starts = _starts([codes])
    yield from zip(starts.tolist(), [*starts[1:].tolist(), len(codes)], strict=True)


def _row_numbers(path: Path, column: pa.ChunkedArray, ids: pa.Array) -> np.ndarray:
    """Return the position of each id among the known ids, int64; only the dictionary is looked up, not every row."""
    encoded = column.combine_chunks()
    codes = encoded.indices.to_numpy()
    number = pc.index_in(encoded.dictionary, value_set=ids).fill_null(-1).to_numpy().astype(np.int64)[codes]
    if len(number) and number.min() < 0:
        unknown = encoded.dictionary[int(codes[np.argmin(number)])]
        raise ArtifactError(f"{path}: the id '{unknown}' is not in the corpus; run `interestrec rank` again")
    return number
