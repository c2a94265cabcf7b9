"""The file of timelines: row groups of complete users, and reading of the row groups that a question needs.

The footer of a Parquet file has the least and the greatest value of every column of a row group. As rows are sorted by
user, the row groups of some users are known without reading others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core import ragged
from interestrec.corpus.no_time import NO_TIME
from interestrec.corpus.timelines import user_order
from interestrec.io import files, schemas
from interestrec.io.spilled_arrays import SpilledArray


@dataclass(frozen=True)
class Timelines:
    """Events of users, sorted by user and position; the rows of user u are `offsets[u]:offsets[u + 1]`."""

    offsets: np.ndarray  # int64 [users + 1]
    user: np.ndarray  # int32 [events]
    item: np.ndarray  # int32 [events]
    time: np.ndarray  # int64 [events], epoch microseconds, NO_TIME where null
    intensity: np.ndarray  # float32 [events]
    split: np.ndarray  # int8 [events], index into schemas.SPLITS


def user_groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Regroup tables of rows sorted by user into the row groups of a file, which do not depend on how rows came.

    A group has at most `files.ROW_GROUP` rows and ends where the rows of a user end. A user with more rows is alone in
    a table, which `files.parquet_writer` divides.
    """
    parts: list[pa.Table] = []
    rows = 0
    for table in user_order(tables):
        parts.append(table)
        rows += table.num_rows
        if rows > files.ROW_GROUP:
            pending = pa.concat_tables(parts).combine_chunks()  # pages of a file depend on chunks
            user = pending["user"].to_numpy()
            start = 0
            while rows - start > files.ROW_GROUP:
                stop = int(np.searchsorted(user, user[start + files.ROW_GROUP]))
                if stop <= start:
                    stop = int(np.searchsorted(user, user[start], side="right"))
                yield pending.slice(start, stop - start)
                start = stop
            parts, rows = [pending.slice(start)], rows - start
    if rows:
        yield pa.concat_tables(parts).combine_chunks()


def read_timelines(path: Path, n_users: int, users: np.ndarray | None = None) -> Timelines:
    """Read all events, or those of some users alone: only row groups with such users are read.

    Args:
        path: of a file of schemas.TIMELINES.
        n_users: number of users of the corpus.
        users: int, numbers of users in any order; None: all. Others have no rows.

    Raises:
        ArtifactError, AccessError: see `files.stream_parquet`.
    """
    chosen, groups = None, None
    if users is not None:
        chosen = np.zeros(n_users, dtype=bool)
        chosen[users] = True
        groups = _groups_of(path, chosen)
    names = ["user", "item", "time", "intensity", "split"]
    columns = SpilledArray.several((np.int32, np.int32, np.int64, np.float32, np.int8), path.parent)
    counts = np.zeros(n_users, np.int64)
    for table in files.stream_parquet(path, names, row_groups=groups):
        if chosen is not None:
            table = table.filter(pa.array(chosen[table["user"].to_numpy()]))
        user = table["user"].to_numpy()
        counts += np.bincount(user, minlength=n_users)
        time, split = microseconds(table["time"]), split_codes(table["split"])
        parts = (user, table["item"].to_numpy(), time, table["intensity"].to_numpy(), split)
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return Timelines(ragged.from_lengths(counts), *(column.finish() for column in columns))


def latest_before(path: Path, time: int) -> int:
    """Return the time of the last event before `time`, in microseconds; NO_TIME if there is none.

    Times are read of those row groups alone that have earlier and later events.

    Raises:
        ArtifactError, AccessError: see `files.stream_parquet`.
    """
    latest, mixed = NO_TIME, []
    for group, bounds in enumerate(files.row_group_bounds(path, "time")):
        if bounds is None or bounds[0] < time <= bounds[1]:
            mixed.append(group)
        elif bounds[1] < time:
            latest = max(latest, bounds[1])
    for table in files.stream_parquet(path, ["time"], row_groups=mixed):
        times = microseconds(table["time"])
        latest = max(latest, int(times[times < time].max(initial=NO_TIME)))
    return latest


def _groups_of(path: Path, chosen: np.ndarray) -> list[int]:
    """Return the row groups that may have rows of the chosen users, bool [users]."""
    bounds = files.row_group_bounds(path, "user")
    return [group for group, limits in enumerate(bounds) if limits is None or chosen[limits[0] : limits[1] + 1].any()]


def microseconds(column: pa.ChunkedArray) -> np.ndarray:
    """int64: times as epoch microseconds, NO_TIME where null."""
    return column.cast(pa.int64()).fill_null(NO_TIME).to_numpy()


def split_codes(column: pa.ChunkedArray) -> np.ndarray:
    """int8: splits as indexes into schemas.SPLITS."""
    return pc.index_in(column.cast(pa.string()), pa.array(schemas.SPLITS)).to_numpy().astype(np.int8)
