"""Positions in timelines, what was before an event, and the requests that events stand for: arrays of whole users."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.io import schemas


def event_positions(user: np.ndarray) -> np.ndarray:
    """int32 [rows]: place of each row within its user, of rows sorted by user."""
    return (np.arange(len(user)) - np.searchsorted(user, user)).astype(np.int32)


def history_ends(
    user: np.ndarray, time: np.ndarray, untimed: np.ndarray, split: np.ndarray, by_time: bool
) -> np.ndarray:
    """How many events of the user's timeline each event's history has: those strictly before it in time.

    Of a random split that is: what was before within train for train, all of train for valid, all of train and valid
    for test; so no history of train or valid holds an event of a later split. Events without time follow by row.

    Args:
        user, time, untimed, split: [rows], sorted by user and position; split as an index into schemas.SPLITS.

    Returns:
        int64 [rows].
    """
    if not len(user):
        return np.zeros(0, np.int64)
    position = event_positions(user).astype(np.int64)
    new = np.concatenate([[True], (user[1:] != user[:-1]) | (time[1:] != time[:-1]) | untimed[1:]])
    first_of_tie = position[np.maximum.accumulate(np.where(new, np.arange(len(user)), 0))]
    if by_time:
        return first_of_tie
    begins = np.searchsorted(user, user)
    before_split = np.searchsorted(user * 3 + split, user * 3 + split) - begins  # rows of the user in earlier splits
    return np.where(split == schemas.TRAIN, first_of_tie, before_split)


def user_order(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, sorted by user, in tables of whole users."""
    rest: list[pa.Table] = []
    for table in tables:
        if not table.num_rows:
            continue
        user = table["user"].to_numpy()
        cut = int(np.searchsorted(user, user[-1]))
        if cut == 0 and rest and rest[-1]["user"][-1].as_py() == user[0]:
            rest.append(table)
            continue
        whole = [*rest, table.slice(0, cut)]
        if sum(part.num_rows for part in whole):
            yield pa.concat_tables(whole)
        rest = [table.slice(cut)]
    if rest:
        yield pa.concat_tables(rest)


def group_requests(table: pa.Table, split: int, first: int, by_time: bool) -> tuple[pa.Table, pa.Table]:
    """Tables of schemas.IMPRESSIONS and schemas.CANDIDATES: the events of a split, each known by what was before.

    Args:
        table: user, item, time, intensity, split of timelines, whole users.
        split: index into schemas.SPLITS.
        first: number of the first impression.
        by_time: as in `history_ends`.
    """
    codes = pc.index_in(table["split"].cast(pa.string()), pa.array(schemas.SPLITS)).to_numpy()
    time = table["time"].cast(pa.int64())
    ends = history_ends(
        table["user"].to_numpy(), time.fill_null(0).to_numpy(), time.is_null().to_numpy(), codes, by_time
    )
    rows = np.flatnonzero(codes == split)
    chosen = table.take(pa.array(rows))
    numbers = np.arange(first, first + len(rows))
    request = {
        "impression": numbers,
        "impression_id": pc.cast(pa.array(numbers + 1), pa.string()),
        "user": chosen["user"],
        "time": chosen["time"],
        "split": chosen["split"],
        "history_start": np.zeros(len(rows), np.int32),
        "history_end": ends[rows].astype(np.int32),
    }
    candidate = {"impression": numbers, "item": chosen["item"], "label": chosen["intensity"]}
    return pa.table(request).cast(schemas.IMPRESSIONS), pa.table(candidate).cast(schemas.CANDIDATES)
