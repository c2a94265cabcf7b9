"""Ranking tables read block by block: only the columns that are asked for, and ids as numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.core.errors import ArtifactError
from interestrec.io import files

_ROWS = 1 << 20  # gathered before ids are looked up, for which all known ids are hashed every time


@dataclass(frozen=True)
class RankingBlock:
    """Whole lists of one system, one after another as the file has them."""

    system: str
    user: np.ndarray  # int64 [lists], rows of the corpus's users
    offsets: np.ndarray  # int64 [lists + 1]
    item: np.ndarray  # int64 [rows], rows of the corpus's items
    numbers: Mapping[str, np.ndarray]  # [rows] by column; a null is NaN, or False

    @property
    def owner(self) -> np.ndarray:
        """The list of each row; int64 [rows]."""
        return ragged.owner(self.offsets)


@dataclass(frozen=True)
class IdNumbers:
    """What ids stand for."""

    user: pa.Array  # string [users]
    item: pa.Array  # string [items]


def blocks(
    path: Path, list_id: Sequence[str], numbers: Sequence[str], ids: IdNumbers, system: str | None = None
) -> Iterator[RankingBlock]:
    """A ranking table as blocks.

    Args:
        list_id: columns of strings that tell neighbouring lists apart, `user_id` among them.
        numbers: further columns to read.
        system: whose rows are wanted; None: everyone's.

    Raises:
        ArtifactError: the file is damaged, names an unknown id, or a system's rows are not together.
    """
    words = ["system", *list_id, "item_id"]
    done: list[str] = []
    for table in _whole_lists(path, [*words, *numbers], words, system):
        for start, stop in _runs(_codes(table["system"])):
            rows = table.slice(start, stop - start)
            here = str(rows["system"][0])
            if here in done[:-1]:
                raise ArtifactError(f"{path}: the rows of '{here}' are not together; run `interestrec rank` again")
            if here not in done:
                done.append(here)
            if system in (None, here):
                yield _block(path, here, rows, list_id, numbers, ids)


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
        user=_looked_up(path, rows["user_id"].take(pa.array(first)), ids.user),
        offsets=np.append(first, rows.num_rows),
        item=_looked_up(path, rows["item_id"], ids.item),
        numbers=values,
    )


def _whole_lists(path: Path, columns: list[str], words: list[str], system: str | None) -> Iterator[pa.Table]:
    """Tables that end where a list ends; the last list of one row group may go on in the next."""
    list_id, only = words[:-1], None if system is None else ("system", system)
    gathered: list[pa.Table] = []
    for part in files.stream_parquet(path, columns, words, group_by="system", containing=only):
        gathered.append(part)
        if sum(table.num_rows for table in gathered) < _ROWS:
            continue
        joined = _joined(gathered)
        last = int(_starts([_codes(joined[name]) for name in list_id])[-1])
        gathered = [joined.slice(last)]
        if last:
            yield joined.slice(0, last)
    if sum(table.num_rows for table in gathered):
        yield _joined(gathered)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """One table with one dictionary a column, so that equal codes are equal words."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    return column.combine_chunks().indices.to_numpy()


def _starts(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Rows that differ from the row before in any column; int64."""
    differs = np.ones(len(columns[0]), dtype=bool)
    differs[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(differs)


def _runs(codes: np.ndarray) -> Iterator[tuple[int, int]]:
    first = _starts([codes])
    yield from zip(first.tolist(), [*first[1:].tolist(), len(codes)], strict=True)


def _looked_up(path: Path, column: pa.ChunkedArray, known: pa.Array) -> np.ndarray:
    """The row of each id among the known ones, int64: the dictionary is looked up, not its rows."""
    encoded = column.combine_chunks()
    codes = encoded.indices.to_numpy()
    number = pc.index_in(encoded.dictionary, value_set=known).fill_null(-1).to_numpy().astype(np.int64)[codes]
    if len(number) and number.min() < 0:
        unknown = encoded.dictionary[int(codes[np.argmin(number)])]
        raise ArtifactError(f"{path}: the corpus does not know '{unknown}'; run `interestrec rank` again")
    return number
