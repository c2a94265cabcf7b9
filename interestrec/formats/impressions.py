"""Impressions with list columns by mapping, Parquet or JSON lines: EB-NeRD's layout and its relatives.

A row says what was shown and what of it was clicked. The history comes as a list column of the row, or from a table
of its own with one row per user (Kruse et al. 2024, "EB-NeRD: A Large-scale Dataset for News Recommendation").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import VALUE
from interestrec.core.section import Section
from interestrec.formats.column_sql import id_of, time_of
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.item_tables import read_items
from interestrec.formats.quality_log import EXAMPLES
from interestrec.formats.raw_log import COUNT, RawLog
from interestrec.formats.raw_tables import name_of, require, scan
from interestrec.formats.row_filters import RowCheck, columns_of, leave_out
from interestrec.formats.table_settings import ItemTable, UserTable
from interestrec.formats.user_tables import read_users

_ROWS = 100_000  # impressions worked on at once
_KEY = "data.columns"


class ImpressionColumns(Section):
    """Columns of impressions; `shown`, `history` and either `clicked` or `labels` are lists."""

    user: str
    """Column with the id of the user."""
    shown: str
    """Column with the list of ids of the items that were shown."""
    impression: str | None = None
    """Column with the id of the impression; `null` = the number of the row."""
    time: str | None = None
    """Column with the time of the impression; `null` = unknown, which excludes splits by time."""
    clicked: str | None = None
    """Column with the list of ids that were clicked, each of them among `shown`."""
    labels: str | None = None
    """Column with a list of one number per shown item; above 0 means clicked."""
    history: str | None = None
    """Column with the list of ids read before the impression, oldest first."""
    value: str | None = None
    """Column with what was measured of the click, such as seconds read; `preprocess.intensity.values` maps it."""

    @model_validator(mode="after")
    def _one_answer(self) -> ImpressionColumns:
        if (self.clicked is None) == (self.labels is None):
            raise ValueError("give clicked or labels")
        return self


class HistoryColumns(Section):
    """Columns of a table with one row per user; all but `user` are lists of equal length, oldest first."""

    user: str
    """Column with the id of the user."""
    items: str
    """Column with the list of ids of the items read."""
    times: str | None = None
    """Column with the list of the times of reading, in `time_unit` or as timestamps."""
    values: str | None = None
    """Column with the list of measured values, such as seconds read, mapped like the value of a click."""


class HistoryTable(Section):
    """What users had read before the impressions of each split."""

    train: list[str] = Field(min_length=1)
    """Files with the histories before the impressions of train."""
    valid: list[str] = []
    """Files with the histories before the impressions of valid."""
    test: list[str] = []
    """Files with the histories before the impressions of test."""
    columns: HistoryColumns
    """Which column means what."""


class ImpressionsData(DataSettings):
    """Impressions with list columns, Parquet or JSON lines, such as the layout of EB-NeRD."""

    format: Literal["impressions"]
    """Layout of the raw files: `impressions`, one row per impression with lists of items."""
    train: list[str] = Field(min_length=1)
    """Files of the train split, as names or patterns."""
    valid: list[str] = []
    """Files of the valid split, as names or patterns. Without any, `preprocess.split` takes valid from train: by
    `valid_from`, else a share."""
    test: list[str] = []
    """Files of the test split, as names or patterns. Without any the model can be trained, but nothing can be
    evaluated."""
    columns: ImpressionColumns
    """Which column of the impressions means what."""
    time_unit: Literal["s", "ms", "us"] = "s"
    """Unit of numeric times since 1970: `s` seconds, `ms` milliseconds, `us` microseconds."""
    history: HistoryTable | None = None
    """Tables of histories, where these are not a column of the impressions; `null` = there are none."""
    items: ItemTable | None = None
    """The table of items; `null` = every id met is an item without text, category or price."""
    users: UserTable | None = None
    """A table of user attributes that a report may slice by; `null` = there is none."""

    @model_validator(mode="after")
    def _one_history(self) -> ImpressionsData:
        if self.history is not None and self.columns.history is not None:
            raise ValueError("give columns.history or history, not both")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        history = [*self.history.train, *self.history.valid, *self.history.test] if self.history else []
        about = [name for table in (self.items, self.users) if table for name in table.files]
        return [*self.train, *self.valid, *self.test, *history, *about]


def read(log: RawLog, data: ImpressionsData) -> None:
    """Fill `items`, `users`, `segments`, `impressions` and `clicks`.

    Without `data.items` the catalogue is every id that is met, and no item has a text.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    files = _files(data.root, data)
    histories = _files(data.root, data.history) if data.history else {}
    if data.items is not None:
        for path in expand_patterns(data.root, data.items.files):
            read_items(log, path, data.items)
    else:
        _items_met(log, files, data, histories)
    if data.users is not None:
        for path in expand_patterns(data.root, data.users.files):
            read_users(log, path, data.users)
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    log.db.execute("CREATE TEMP TABLE of_user (split split_name, user_id VARCHAR, segment BIGINT)")
    if data.history is not None:
        for split, paths in histories.items():
            for path in paths:
                _read_histories(coder, path, split, data.history.columns, data.time_unit)
    for split, paths in files.items():
        for path in paths:
            _read_impressions(coder, path, split, data.columns, data.time_unit)
    log.settle_bad_rows(data.max_bad_rows)
    coder.report()
    settle_histories(log)
    if data.history is not None:
        _one_history_each(log)
        log.db.execute("INSERT INTO stated SELECT ord, segment FROM impressions JOIN of_user USING (user_id, split)")
    count_one_class(log)


def _files(root: Path, tables: ImpressionsData | HistoryTable) -> dict[str, list[Path]]:
    """Paths by split."""
    named = {"train": tables.train, "valid": tables.valid, "test": tables.test}
    return {split: expand_patterns(root, names) for split, names in named.items()}


def _items_met(
    log: RawLog, files: Mapping[str, list[Path]], data: ImpressionsData, histories: Mapping[str, list[Path]]
) -> None:
    """Every id of a list column is an item without attributes."""
    lists = [name for name in (data.columns.shown, data.columns.history) if name]
    wanted = [(path, lists) for paths in files.values() for path in paths]
    if data.history is not None:
        wanted += [(path, [data.history.columns.items]) for paths in histories.values() for path in paths]
    log.db.execute("CREATE TEMP TABLE met (item_id VARCHAR)")
    rows = log.rows_read, log.rows_kept
    for path, names in wanted:
        for types in scan(log, path, names, joined=True):
            for name in names:
                require(list(types), name, path, _KEY)
                log.db.execute(f"INSERT INTO met SELECT DISTINCT unnest({_list(types, name)}) FROM raw")
    ids = "SELECT DISTINCT item_id FROM met WHERE item_id <> ''"
    log.add_items(f"(SELECT item_id, row_number() OVER (ORDER BY item_id) AS _row FROM ({ids}))", item_id="item_id")
    log.rows_read, log.rows_kept = rows  # the rows are read once more
    log.db.execute("DELETE FROM bad_rows; DROP TABLE met")


def _list(types: Mapping[str, str], column: str) -> str:
    """SQL of a list column as VARCHAR[]; JSON text is parsed, a null list is empty."""
    name = name_of(column)
    text = types[column] == "VARCHAR"
    lists = f"try_cast(from_json(try_cast({name} AS JSON), '[\"VARCHAR\"]') AS VARCHAR[])" if text else name
    found = f"coalesce(CAST({lists} AS VARCHAR[]), [])"
    if types[column].startswith(("DOUBLE", "FLOAT")):  # the id 13085.0 is 13085
        return f"list_transform({found}, lambda x: regexp_replace(x, '\\.0$', ''))"
    return found


def _read_histories(coder: ItemCoder, path: Path, split: str, columns: HistoryColumns, unit: str) -> None:
    log = coder.log
    for types in scan(log, path, columns_of(columns)):
        for role, name in columns:
            if name:
                require(list(types), name, path, f"data.history.columns.{role}")
        times, amounts = _entries(types, columns.times, unit), _amounts(types, columns.values)
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {id_of(types, columns.user)} AS user_id, "
            f"{_list(types, columns.items)} AS ids, {times} AS times, {amounts} AS amounts FROM raw"
        )
        if columns.times or columns.values:  # a null list tells of no entry
            log.db.execute(
                "CREATE OR REPLACE TEMP TABLE parsed AS SELECT * REPLACE ("
                f"{_filled('times', columns.times)}, {_filled('amounts', columns.values)}) FROM parsed"
            )
        uneven = "len(times) <> len(ids) OR len(amounts) <> len(ids)"
        rows = leave_out(log, [RowCheck("", uneven, "times or values are not as many as items")], "parsed")
        for table in _chunks(log, rows):
            _add_histories(coder, table, split)


def _entries(types: Mapping[str, str], column: str | None, unit: str) -> str:
    """SQL of a list column as TIMESTAMP[]."""
    if column is None:
        return "CAST(NULL AS TIMESTAMP[])"
    if types[column].startswith(("TIMESTAMP", "DATE")):
        return f"CAST({name_of(column)} AS TIMESTAMP[])"
    texts = f"CAST({name_of(column)} AS VARCHAR[])"
    return f"list_transform({texts}, lambda x: {time_of({'x': 'VARCHAR'}, 'x', unit)})"


def _amounts(types: Mapping[str, str], column: str | None) -> str:
    """SQL of a list column as DOUBLE[]; what is not finite is missing."""
    if column is None:
        return "CAST(NULL AS DOUBLE[])"
    texts = f"CAST({name_of(column)} AS VARCHAR[])" if types[column] == "VARCHAR" else name_of(column)
    number = "try_cast(x AS DOUBLE)"
    return f"list_transform({texts}, lambda x: CASE WHEN isfinite({number}) THEN {number} END)"


def _filled(name: str, column: str | None) -> str:
    kind = "TIMESTAMP" if name == "times" else "DOUBLE"
    return f"coalesce({name}, list_transform(ids, lambda x: CAST(NULL AS {kind}))) AS {name}" if column else name


def _add_histories(coder: ItemCoder, table: pa.Table, split: str) -> None:
    log = coder.log
    log.rows_kept += table.num_rows
    coded = coder.look_up(table["ids"].combine_chunks())
    coder.count(coded, "history entries")
    segments = log.orders(table["_row"])
    rows = {"segment": segments, "user_id": table["user_id"], "items": coded.lists()}
    kept = pa.array(coded.kept)
    for name in ("times", "amounts"):
        values = table[name].combine_chunks()
        given = values.null_count == 0
        rows[name] = coded.lists(values.flatten().filter(kept)) if given else pa.nulls(len(values), values.type)
    found = pa.table(rows).filter(pa.array(np.diff(coded.offsets) > 0))
    log.insert("segments", found)
    log.insert("of_user", found, f"'{split}', user_id, segment")


def _one_history_each(log: RawLog) -> None:
    """Of the histories of one user and split the first counts."""
    rows = log.rows("of_user")
    log.db.execute(
        "CREATE TEMP TABLE firsts AS SELECT split, user_id, min(segment) AS segment FROM of_user "
        "WHERE user_id IS NOT NULL GROUP BY ALL"
    )
    again = log.sql(f"SELECT segment FROM of_user ANTI JOIN firsts USING (segment) ORDER BY segment LIMIT {EXAMPLES}")
    log.db.execute("DROP TABLE of_user; ALTER TABLE firsts RENAME TO of_user")
    places = log.places([row[0] for row in again])
    reason = "a second history of a user in one split, or one of nobody; the first one counts"
    log.quality.count("repeated histories", rows, log.rows("of_user"), reason, places=places)


def _read_impressions(coder: ItemCoder, path: Path, split: str, columns: ImpressionColumns, unit: str) -> None:
    log = coder.log
    for types in scan(log, path, columns_of(columns)):
        for role, name in columns:
            if name:
                require(list(types), name, path, f"{_KEY}.{role}")
        _parse(log, types, columns, unit)
        for table in _chunks(log, leave_out(log, _CHECKS, "parsed")):
            counts = pc.list_value_length(table["shown"]).to_numpy()
            amounts = np.repeat(table["amount"].to_numpy(), counts) if columns.value else None
            rows = table.select(["impression_id", "user_id", "time"]).append_column("ord", log.orders(table["_row"]))
            shown = coder.look_up(table["shown"].combine_chunks())
            history = coder.look_up(table["history"].combine_chunks()) if columns.history else None
            marks = table["marks"].combine_chunks().flatten().to_numpy().astype(np.uint8)
            add_impressions(coder, rows, shown, marks, amounts, history, split)


def _parse(log: RawLog, types: Mapping[str, str], columns: ImpressionColumns, unit: str) -> None:
    """Table `parsed`, one row per impression."""
    # Expressions are repeated in full: a column of the file may have the name of one given here, and other types.
    shown = _list(types, columns.shown)
    if columns.labels:
        labels = _list(types, columns.labels)
        marks = f"list_transform({labels}, lambda x: CAST(try_cast(x AS DOUBLE) > 0 AS UTINYINT))"
        clicked = "CAST([] AS VARCHAR[])"
    else:
        clicked = _list(types, columns.clicked or "")
        marks = f"list_transform({shown}, lambda x: CAST(coalesce(list_contains({clicked}, x), false) AS UTINYINT))"
    name = id_of(types, columns.impression) if columns.impression else "CAST(_row AS VARCHAR)"
    raw_time = f"CAST({name_of(columns.time)} AS VARCHAR)" if columns.time else "NULL"
    amount = _number(columns.value) if columns.value else "CAST(NULL AS DOUBLE)"
    history = _list(types, columns.history) if columns.history else "CAST([] AS VARCHAR[])"
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {name} AS impression_id, "
        f"{id_of(types, columns.user)} AS user_id, {time_of(types, columns.time, unit)} AS time, "
        f"{raw_time} AS raw_time, {shown} AS shown, {marks} AS marks, "
        f"{clicked} AS clicked, {history} AS history, {amount} AS amount FROM raw"
    )


def _number(column: str) -> str:
    """SQL of a column as a number, null where it is not finite."""
    number = f"try_cast({name_of(column)} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


_STRAY = "list_filter(clicked, lambda x: NOT list_contains(shown, x))"
_CHECKS = [  # of the table `parsed`
    RowCheck("", "user_id IS NULL", "the user is empty"),
    RowCheck("", "impression_id IS NULL", "the id of the impression is empty"),
    RowCheck("", "raw_time <> '' AND time IS NULL", f"the time '{VALUE}' cannot be read", "raw_time"),
    RowCheck("", "len(shown) = 0", "no candidates"),
    RowCheck("", "len(list_filter(marks, lambda x: x IS NULL)) > 0", "a label is not a number"),
    RowCheck(
        "",
        "len(marks) <> len(shown)",
        f"{COUNT} labels for {COUNT} candidates",
        counts=("len(marks)", "len(shown)"),
    ),
    RowCheck("", f"len({_STRAY}) > 0", f"the clicked item '{VALUE}' is not among the shown", f"{_STRAY}[1]"),
]


def _chunks(log: RawLog, rows: str) -> Iterator[pa.Table]:
    """The rows of a relation, some at a time."""
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {rows}")
    for start in range(0, log.rows("parsed"), _ROWS):
        yield log.table(f"SELECT * FROM parsed WHERE rowid >= {start} AND rowid < {start + _ROWS}")
