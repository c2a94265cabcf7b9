"""Merges new events, items and users into the log of a decision, and takes forgotten users out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.corpus.no_time import NO_TIME
from interestrec.corpus.timeline_files import user_groups
from interestrec.corpus.timelines import event_positions
from interestrec.io import artifact_files, files, schemas

_WITHOUT_ROWS = {artifact_files.IMPRESSIONS: schemas.IMPRESSIONS, artifact_files.CANDIDATES: schemas.CANDIDATES}
_FORGOTTEN = "forgotten-{}"  # id of a user whose row stays, as rows are numbers in fitted arrays


@dataclass(frozen=True)
class KnownLog:
    """Items, users and timelines of a log."""

    items: pa.Table  # schemas.ITEMS followed by attributes; row number = item
    users: pa.Table  # schemas.USERS followed by attributes; row number = user
    timelines: pa.Table  # schemas.TIMELINES, all in the split train: everything is known

    @classmethod
    def read(cls, directory: Path) -> "KnownLog":
        """Read the tables of a log or a corpus."""
        names = (artifact_files.ITEMS, artifact_files.USERS, artifact_files.TIMELINES)
        items, users, timelines = (files.read_parquet(directory / name) for name in names)
        return cls(items, users, known(timelines))

    def with_columns_of(self, log: "KnownLog") -> "KnownLog":
        """Return these tables with the columns of another log's items and users that they lack; nothing is in them."""
        return replace(self, items=_widened(self.items, log.items), users=_widened(self.users, log.users))

    def write(self, directory: Path) -> None:
        """Write the tables into an existing directory, as a corpus that has no impressions."""
        for name, table in {artifact_files.ITEMS: self.items, artifact_files.USERS: self.users}.items():
            files.write_parquet(directory / name, table, table.schema)
        groups = user_groups(iter([self.timelines]))
        files.write_parquet_batches(directory / artifact_files.TIMELINES, groups, self.timelines.schema)
        for name, schema in _WITHOUT_ROWS.items():
            files.write_parquet(directory / name, schema.empty_table(), schema)


@dataclass(frozen=True)
class MergedLog:
    """A log after a change."""

    tables: KnownLog
    touched: np.ndarray  # int64, users with other events than before, ascending
    forgotten: np.ndarray  # int64, users whose events were taken out, ascending
    new_items: np.ndarray  # int64, rows of the new tables that the new items had there, in the order of their numbers
    counts: dict[str, int]  # events read = added + known


def known(timelines: pa.Table) -> pa.Table:
    """Return timelines whose events are all in the split train, because all of them are known."""
    train = pa.DictionaryArray.from_arrays(np.zeros(timelines.num_rows, np.int32), pa.array([schemas.SPLITS[0]]))
    column = pa.chunked_array([train]).cast(timelines.schema.field("split").type)
    return timelines.set_column(timelines.column_names.index("split"), "split", column)


def merge(log: KnownLog, new: KnownLog | None, forgotten: np.ndarray) -> MergedLog:
    """Add the events of new tables, with the items and users that the log lacks, and take out those of some users.

    An event that the log has, by user, item, time, type and value, is not added again, so that a file may be delivered
    twice. An item or a user that the log has stays as it is there.

    Args:
        forgotten: int64, rows of users of the log.

    Raises:
        DataError: an event is older than all of the log, or kinds of columns differ.
    """
    items, users, timelines = log.items, _without_names(log.users, forgotten), log.timelines
    gone = np.isin(timelines["user"].to_numpy(), forgotten)
    timelines = timelines.filter(pa.array(~gone)) if gone.any() else timelines
    touched, new_items = [np.unique(log.timelines["user"].to_numpy()[gone])], np.zeros(0, np.int64)
    counts = {"events_read": 0, "events_added": 0, "events_known": 0, "events_forgotten": int(gone.sum())}
    if new is not None:
        _require_later(timelines, new.timelines)
        items, item_of, new_items = _appended(items, new.items, "item")
        users, user_of, _ = _appended(users, new.users, "user")
        added = _renumbered(new.timelines, item_of, user_of).select(timelines.column_names).cast(timelines.schema)
        fresh = ~_contained(added, timelines)
        counts |= {
            "events_read": len(fresh),
            "events_added": int(fresh.sum()),
            "events_known": int((~fresh).sum()),
        }
        added = added.filter(pa.array(fresh))
        touched.append(np.unique(added["user"].to_numpy()))
        timelines = _in_order(pa.concat_tables([timelines, added]), touched[-1])
    counts |= {"items_added": len(new_items), "users_added": users.num_rows - log.users.num_rows}
    position = pa.chunked_array([event_positions(timelines["user"].to_numpy())])
    timelines = timelines.set_column(timelines.column_names.index("position"), "position", position)
    tables = KnownLog(items, users, timelines.combine_chunks())
    return MergedLog(tables, np.unique(np.concatenate(touched)).astype(np.int64), forgotten, new_items, counts)


def _widened(table: pa.Table, other: pa.Table) -> pa.Table:
    for field in other.schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _require_later(timelines: pa.Table, new: pa.Table) -> None:
    first, earliest = (pc.min(table["time"]).as_py() for table in (timelines, new))
    if first is not None and earliest is not None and earliest < first:
        older = pc.sum(pc.less(new["time"], first)).as_py()
        raise DataError(
            f"{older:,} of {new.num_rows:,} new events are older than all of the log, which begins at {first}; the "
            f"earliest is of {earliest}: check the unit and zone of times, or run `interestrec run` on the whole log"
        )


def _appended(table: pa.Table, new: pa.Table, name: str) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Append the rows of unknown ids.

    Returns:
        The table; the number of each row of the new one, int64; the rows of the new one that were appended, int64.
    """
    key = f"{name}_id"
    place = pc.index_in(new[key].combine_chunks(), value_set=table[key].combine_chunks())
    number = place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    unknown = np.flatnonzero(number < 0)
    number[unknown] = table.num_rows + np.arange(len(unknown))
    rows = new.take(pa.array(unknown))
    rows = rows.set_column(rows.column_names.index(name), name, pa.array(number[unknown].astype(np.int32)))
    try:
        rows = rows.select(table.column_names).cast(table.schema)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise DataError(
            f"the new {name}s have other columns than those of the log ({error}); read them alike"
        ) from None
    return pa.concat_tables([table, rows]).combine_chunks(), number, unknown


def _renumbered(timelines: pa.Table, item_of: np.ndarray, user_of: np.ndarray) -> pa.Table:
    for name, number in (("item", item_of), ("user", user_of)):
        column = pa.array(number[timelines[name].to_numpy()].astype(np.int32))
        timelines = timelines.set_column(timelines.column_names.index(name), name, column)
    return timelines


def _contained(added: pa.Table, timelines: pa.Table) -> np.ndarray:
    """bool [added]: the event is among those of the timelines; compared are the users of `added` alone."""
    same_users = np.isin(timelines["user"].to_numpy(), np.unique(added["user"].to_numpy()))
    existing = timelines.filter(pa.array(same_users))
    both = pa.concat_tables([existing, added])
    keys = np.stack(
        [
            both["user"].to_numpy().astype(np.int64),
            both["item"].to_numpy().astype(np.int64),
            both["time"].cast(pa.int64()).fill_null(NO_TIME).to_numpy(),
            pc.dictionary_encode(both["event"].cast(pa.string())).combine_chunks().indices.to_numpy().astype(np.int64),
            both["value"].fill_null(np.nan).to_numpy().view(np.int64),
        ],
        axis=1,
    )
    code = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    return np.isin(code[existing.num_rows :], code[: existing.num_rows])


def _in_order(timelines: pa.Table, touched: np.ndarray) -> pa.Table:
    """Return timelines by user; of each touched user logged histories first, then events by time, and as they stood."""
    user = timelines["user"].to_numpy()
    order = np.argsort(user, kind="stable")
    places = np.flatnonzero(np.isin(user[order], touched))
    rows = order[places]
    some = timelines.take(pa.array(rows))
    logged = pc.equal(some["event"].cast(pa.string()), schemas.HISTORY_EVENT).to_numpy()
    time = some["time"].cast(pa.int64()).fill_null(NO_TIME).to_numpy()
    order[places] = rows[np.lexsort((np.where(logged, NO_TIME, time), ~logged, user[rows]))]
    return timelines.take(pa.array(order))


def _without_names(users: pa.Table, forgotten: np.ndarray) -> pa.Table:
    """Return users without the ids and attributes of some, whose rows stay."""
    if not len(forgotten):
        return users
    gone = np.zeros(users.num_rows, dtype=bool)
    gone[forgotten] = True
    names = pa.array([_FORGOTTEN.format(row) for row in range(users.num_rows)])
    columns = {}
    for name in users.column_names:
        if name == "user_id":
            columns[name] = pc.if_else(pa.array(gone), names, users[name].combine_chunks())
        elif name in schemas.USERS.names:
            columns[name] = users[name]
        else:
            columns[name] = pc.if_else(pa.array(gone), pa.scalar(None, users[name].type), users[name].combine_chunks())
    return pa.table(columns, schema=users.schema)
