"""Histories of impressions in tables of their own, one row per user (Kruse et al. 2024, "EB-NeRD")."""

from __future__ import annotations

from pydantic import Field

from interestrec.columns.landed_tables import LandedTable
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.core.deferred_import import np, pa
from interestrec.core.section import Section
from interestrec.formats.impression_lists import ItemCoder, parsed_chunks
from interestrec.formats.list_columns import IdLists, NumberLists, TimeLists
from interestrec.formats.spelled_data import SpelledData
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import LandedFile


class HistoryColumns(Section):
    """Columns of a table with one row per user; all but `user` are lists of equal length, oldest first."""

    user: str
    """Column with the id of the user."""
    items: str
    """Column with the list of ids of the items read."""
    times: str | None = None
    """Column with the list of the times of reading."""
    values: str | None = None
    """Column with the list of measured values, such as seconds read, mapped like the value of a click."""


class HistoryTable(Section):
    """Files with the histories of users before the impressions of each split."""

    train: list[str] = Field(min_length=1)
    """Files with the histories before the impressions of train."""
    valid: list[str] = []
    """Files with the histories before the impressions of valid."""
    test: list[str] = []
    """Files with the histories before the impressions of test."""
    columns: HistoryColumns
    """Which column means what."""


class HistoryReader:
    """Reads tables of histories, one row per user."""

    def __init__(self, table: LandedTable, data: SpelledData, columns: HistoryColumns) -> None:
        self.table, self.columns = table, columns
        self.user = table.id(columns.user, data.user_ids)
        self.items = IdLists(table, columns.items, data.ids)
        self.times = TimeLists(table, columns.times) if columns.times else None
        self.values = NumberLists(table, columns.values) if columns.values else None

    def item_lists(self) -> list[tuple[str, str]]:
        """Return the relation and the SQL of the lists of items of every file."""
        return [(file.relation, self.items.expression(file.types)) for file in self.table.files]

    def read(self, coder: ItemCoder, file: LandedFile, split: str) -> None:
        """Append the rows of a file to the histories of a split."""
        log, columns, types = coder.log, self.columns, file.types
        times = self.times.expression(types) if self.times else "CAST(NULL AS TIMESTAMP[])"
        amounts = self.values.expression(types) if self.values else "CAST(NULL AS DOUBLE[])"
        user = self.user.expression(types[columns.user])
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {user} AS user_id, "
            f"{self.items.expression(types)} AS ids, {times} AS times, {amounts} AS amounts FROM {file.relation}"
        )
        if columns.times or columns.values:  # a null list becomes one null per item
            log.db.execute(
                "CREATE OR REPLACE TEMP TABLE parsed AS SELECT * REPLACE ("
                f"{_with_nulls('times', columns.times)}, {_with_nulls('amounts', columns.values)}) FROM parsed"
            )
        uneven = "len(times) <> len(ids) OR len(amounts) <> len(ids)"
        rows = leave_out(log, [RowCheck("", uneven, "times or values are not as many as items")], "parsed")
        for chunk in parsed_chunks(log, rows):
            _add_histories(coder, chunk, split)


def _with_nulls(name: str, column: str | None) -> str:
    kind = "TIMESTAMP" if name == "times" else "DOUBLE"
    return f"coalesce({name}, list_transform(ids, lambda x: CAST(NULL AS {kind}))) AS {name}" if column else name


def _add_histories(coder: ItemCoder, table: pa.Table, split: str) -> None:
    log = coder.log
    log.rows_kept += table.num_rows
    coded = coder.look_up(table["ids"].combine_chunks())
    coder.count(coded, "history entries")
    segments = log.orders(table["_row"])
    rows = {"segment": segments, "user_id": table["user_id"], "items": coded.lists()}
    kept = pa.array(coded.is_known)
    for name in ("times", "amounts"):
        values = table[name].combine_chunks()
        is_present = values.null_count == 0
        rows[name] = coded.lists(values.flatten().filter(kept)) if is_present else pa.nulls(len(values), values.type)
    segment_rows = pa.table(rows).filter(pa.array(np.diff(coded.offsets) > 0))
    log.insert("segments", segment_rows)
    log.insert("user_segments", segment_rows, f"'{split}', user_id, segment")


def drop_repeated_histories(log: RawLog) -> None:
    """Keep the first history per user and split; further ones are counted."""
    rows = log.rows("user_segments")
    log.db.execute(
        "CREATE TEMP TABLE first_segments AS SELECT split, user_id, min(segment) AS segment FROM user_segments "
        "WHERE user_id IS NOT NULL GROUP BY ALL"
    )
    repeated = log.sql(
        f"SELECT segment FROM user_segments ANTI JOIN first_segments USING (segment) ORDER BY segment LIMIT {EXAMPLES}"
    )
    log.db.execute("DROP TABLE user_segments; ALTER TABLE first_segments RENAME TO user_segments")
    places = log.places([row[0] for row in repeated])
    reason = "a second history of a user in one split, or one of nobody; the first one counts"
    log.quality.count("repeated histories", rows, log.rows("user_segments"), reason, places=places)
