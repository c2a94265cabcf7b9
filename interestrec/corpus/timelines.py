"""Positions in timelines, histories of events, and requests made from events; all inputs contain complete users."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.io import schemas


def event_positions(user: np.ndarray) -> np.ndarray:
    """Position of each row within its user, for rows sorted by user; int32 [rows]."""
    return (np.arange(len(user)) - np.searchsorted(user, user)).astype(np.int32)


def history_ends(
    user: np.ndarray, time: np.ndarray, untimed: np.ndarray, split: np.ndarray, by_time: bool
) -> np.ndarray:
    """Count the events in the history of each event: the events of the user strictly before it in time.

    For a random split (`by_time` False) the history is the earlier train events for train, all of train for valid, and
    all of train and valid for test, so no history contains an event of a later split. Events without time are ordered
    by row.

    Args:
        user, time, untimed, split: [rows], sorted by user and position; split is an index into schemas.SPLITS.
        by_time: whether the split is by time.

    Returns:
        int64 [rows].
    """
    if not len(user):
        return np.zeros(0, np.int64)
    position = event_positions(user).astype(np.int64)
    tie_start = np.concatenate([[True], (user[1:] != user[:-1]) | (time[1:] != time[:-1]) | untimed[1:]])
    first_of_tie = position[np.maximum.accumulate(np.where(tie_start, np.arange(len(user)), 0))]
    if by_time:
        return first_of_tie
    first_row = np.searchsorted(user, user)
    before_split = np.searchsorted(user * 3 + split, user * 3 + split) - first_row  # the user's rows in earlier splits
    return np.where(split == schemas.TRAIN, first_of_tie, before_split)


def user_order(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Regroup tables of rows sorted by user so that no user is divided between two tables."""
    pending: list[pa.Table] = []
    for table in tables:
        if not table.num_rows:
            continue
        user = table["user"].to_numpy()
        cut = int(np.searchsorted(user, user[-1]))
        if cut == 0 and pending and pending[-1]["user"][-1].as_py() == user[0]:
            pending.append(table)
            continue
        complete = [*pending, table.slice(0, cut)]
        if sum(part.num_rows for part in complete):
            yield pa.concat_tables(complete)
        pending = [table.slice(cut)]
    if pending:
        yield pa.concat_tables(pending)


def group_requests(table: pa.Table, split: int, first: int, by_time: bool) -> tuple[pa.Table, pa.Table]:
    """Make a request with one candidate from each event of a split, with the events before it as history.

    Args:
        table: user, item, time, intensity, split of timelines, with complete users.
        split: index into schemas.SPLITS.
        first: number of the first impression.
        by_time: as in `history_ends`.

    Returns:
        Tables of schemas.IMPRESSIONS and schemas.CANDIDATES.
    """
    codes = pc.index_in(table["split"].cast(pa.string()), pa.array(schemas.SPLITS)).to_numpy()
    time = table["time"].cast(pa.int64())
    ends = history_ends(
        table["user"].to_numpy(), time.fill_null(0).to_numpy(), time.is_null().to_numpy(), codes, by_time
    )
    rows = np.flatnonzero(codes == split)
    events = table.take(pa.array(rows))
    numbers = np.arange(first, first + len(rows))
    request = {
        "impression": numbers,
        "impression_id": pc.cast(pa.array(numbers + 1), pa.string()),
        "user": events["user"],
        "time": events["time"],
        "split": events["split"],
        "history_start": np.zeros(len(rows), np.int32),
        "history_end": ends[rows].astype(np.int32),
    }
    candidate = {"impression": numbers, "item": events["item"], "label": events["intensity"]}
    return pa.table(request).cast(schemas.IMPRESSIONS), pa.table(candidate).cast(schemas.CANDIDATES)
