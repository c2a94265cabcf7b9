"""Impressions with list columns by mapping, Parquet or JSON lines: EB-NeRD's layout and its relatives.

A row holds the items shown and those of them that were clicked. The history is a list column of the row, or comes from
a separate table with one row per user (Kruse et al. 2024, "EB-NeRD: A Large-scale Dataset for News Recommendation").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from interestrec.columns.column_sql import id_expression, time_expression
from interestrec.columns.row_filters import RowCheck, leave_out, mapped_columns
from interestrec.columns.table_settings import ItemTable, UserTable
from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import VALUE
from interestrec.core.section import Section
from interestrec.formats.data_settings import DataSettings
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.item_tables import read_items
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import COUNT, RawLog
from interestrec.rawfiles.raw_tables import identifier, require_column, scan

_CHUNK_ROWS = 100_000  # rows of impressions or histories processed at once
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
    def _check_clicks(self) -> ImpressionColumns:
        if (self.clicked is None) == (self.labels is None):
            raise ValueError("give exactly one of clicked and labels")
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
    """Files with the histories of users before the impressions of each split."""

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
    def _check_history(self) -> ImpressionsData:
        if self.history is not None and self.columns.history is not None:
            raise ValueError("give columns.history or history, not both")
        return self

    @property
    def names(self) -> list[str]:
        """Names and patterns of all raw files, relative to `root`."""
        history = [*self.history.train, *self.history.valid, *self.history.test] if self.history else []
        tables = [name for table in (self.items, self.users) if table for name in table.files]
        return [*self.train, *self.valid, *self.test, *history, *tables]


def read(log: RawLog, data: ImpressionsData) -> None:
    """Fill `items`, `users`, `segments`, `impressions` and `clicks`.

    Without `data.items` every id in the lists is an item without text.

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
        _add_listed_items(log, files, data, histories)
    if data.users is not None:
        for path in expand_patterns(data.root, data.users.files):
            read_users(log, path, data.users)
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    log.db.execute("CREATE TEMP TABLE user_segments (split split_name, user_id VARCHAR, segment BIGINT)")
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
        _drop_repeated_histories(log)
        log.db.execute(
            "INSERT INTO impression_segments "
            "SELECT ord, segment FROM impressions JOIN user_segments USING (user_id, split)"
        )
    count_one_class(log)


def _files(root: Path, tables: ImpressionsData | HistoryTable) -> dict[str, list[Path]]:
    """Return the paths of the files by split."""
    names_by_split = {"train": tables.train, "valid": tables.valid, "test": tables.test}
    return {split: expand_patterns(root, names) for split, names in names_by_split.items()}


def _add_listed_items(
    log: RawLog, files: Mapping[str, list[Path]], data: ImpressionsData, histories: Mapping[str, list[Path]]
) -> None:
    """Add every id of the list columns as an item without attributes."""
    lists = [name for name in (data.columns.shown, data.columns.history) if name]
    sources = [(path, lists) for paths in files.values() for path in paths]
    if data.history is not None:
        sources += [(path, [data.history.columns.items]) for paths in histories.values() for path in paths]
    log.db.execute("CREATE TEMP TABLE listed_items (item_id VARCHAR)")
    counts = log.rows_read, log.rows_kept
    for path, names in sources:
        for types in scan(log, path, names, auxiliary=True):
            for name in names:
                require_column(list(types), name, path, _KEY)
                log.db.execute(f"INSERT INTO listed_items SELECT DISTINCT unnest({_list(types, name)}) FROM raw")
    ids = "SELECT DISTINCT item_id FROM listed_items WHERE item_id <> ''"
    log.add_items(f"(SELECT item_id, row_number() OVER (ORDER BY item_id) AS _row FROM ({ids}))", item_id="item_id")
    log.rows_read, log.rows_kept = counts  # the files are read again, and their rows are counted then
    log.db.execute("DELETE FROM bad_rows; DROP TABLE listed_items")


def _list(types: Mapping[str, str], column: str) -> str:
    """Return the SQL of a list column as VARCHAR[]; JSON is_text is parsed, and a null list becomes an empty one."""
    name = identifier(column)
    is_text = types[column] == "VARCHAR"
    lists = f"try_cast(from_json(try_cast({name} AS JSON), '[\"VARCHAR\"]') AS VARCHAR[])" if is_text else name
    filled = f"coalesce(CAST({lists} AS VARCHAR[]), [])"
    if types[column].startswith(("DOUBLE", "FLOAT")):  # the id 13085.0 means 13085
        return f"list_transform({filled}, lambda x: regexp_replace(x, '\\.0$', ''))"
    return filled


def _read_histories(coder: ItemCoder, path: Path, split: str, columns: HistoryColumns, unit: str) -> None:
    log = coder.log
    for types in scan(log, path, mapped_columns(columns)):
        for role, name in columns:
            if name:
                require_column(list(types), name, path, f"data.history.columns.{role}")
        times, amounts = _timestamps(types, columns.times, unit), _amounts(types, columns.values)
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {id_expression(types, columns.user)} AS user_id, "
            f"{_list(types, columns.items)} AS ids, {times} AS times, {amounts} AS amounts FROM raw"
        )
        if columns.times or columns.values:  # a null list becomes one null per item
            log.db.execute(
                "CREATE OR REPLACE TEMP TABLE parsed AS SELECT * REPLACE ("
                f"{_with_nulls('times', columns.times)}, {_with_nulls('amounts', columns.values)}) FROM parsed"
            )
        uneven = "len(times) <> len(ids) OR len(amounts) <> len(ids)"
        rows = leave_out(log, [RowCheck("", uneven, "times or values are not as many as items")], "parsed")
        for table in _chunks(log, rows):
            _add_histories(coder, table, split)


def _timestamps(types: Mapping[str, str], column: str | None, unit: str) -> str:
    """Return the SQL of a list column as TIMESTAMP[]."""
    if column is None:
        return "CAST(NULL AS TIMESTAMP[])"
    if types[column].startswith(("TIMESTAMP", "DATE")):
        return f"CAST({identifier(column)} AS TIMESTAMP[])"
    texts = f"CAST({identifier(column)} AS VARCHAR[])"
    return f"list_transform({texts}, lambda x: {time_expression({'x': 'VARCHAR'}, 'x', unit)})"


def _amounts(types: Mapping[str, str], column: str | None) -> str:
    """Return the SQL of a list column as DOUBLE[]; values that are not finite become null."""
    if column is None:
        return "CAST(NULL AS DOUBLE[])"
    texts = f"CAST({identifier(column)} AS VARCHAR[])" if types[column] == "VARCHAR" else identifier(column)
    number = "try_cast(x AS DOUBLE)"
    return f"list_transform({texts}, lambda x: CASE WHEN isfinite({number}) THEN {number} END)"


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


def _drop_repeated_histories(log: RawLog) -> None:
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


def _read_impressions(coder: ItemCoder, path: Path, split: str, columns: ImpressionColumns, unit: str) -> None:
    log = coder.log
    for types in scan(log, path, mapped_columns(columns)):
        for role, name in columns:
            if name:
                require_column(list(types), name, path, f"{_KEY}.{role}")
        _parse(log, types, columns, unit)
        for table in _chunks(log, leave_out(log, _CHECKS, "parsed")):
            counts = pc.list_value_length(table["shown"]).to_numpy()
            amounts = np.repeat(table["amount"].to_numpy(), counts) if columns.value else None
            rows = table.select(["impression_id", "user_id", "time"]).append_column("ord", log.orders(table["_row"]))
            candidates = coder.look_up(table["shown"].combine_chunks())
            history = coder.look_up(table["history"].combine_chunks()) if columns.history else None
            marks = table["marks"].combine_chunks().flatten().to_numpy().astype(np.uint8)
            add_impressions(coder, rows, candidates, marks, amounts, history, split)


def _parse(log: RawLog, types: Mapping[str, str], columns: ImpressionColumns, unit: str) -> None:
    """Create the table `parsed`, one row per impression."""
    # Expressions are repeated in full: a column of the file may have the name of one of the aliases and another type.
    shown = _list(types, columns.shown)
    if columns.labels:
        labels = _list(types, columns.labels)
        marks = f"list_transform({labels}, lambda x: CAST(try_cast(x AS DOUBLE) > 0 AS UTINYINT))"
        clicked = "CAST([] AS VARCHAR[])"
    else:
        clicked = _list(types, columns.clicked or "")
        marks = f"list_transform({shown}, lambda x: CAST(coalesce(list_contains({clicked}, x), false) AS UTINYINT))"
    name = id_expression(types, columns.impression) if columns.impression else "CAST(_row AS VARCHAR)"
    raw_time = f"CAST({identifier(columns.time)} AS VARCHAR)" if columns.time else "NULL"
    amount = _number(columns.value) if columns.value else "CAST(NULL AS DOUBLE)"
    history = _list(types, columns.history) if columns.history else "CAST([] AS VARCHAR[])"
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {name} AS impression_id, "
        f"{id_expression(types, columns.user)} AS user_id, {time_expression(types, columns.time, unit)} AS time, "
        f"{raw_time} AS raw_time, {shown} AS shown, {marks} AS marks, "
        f"{clicked} AS clicked, {history} AS history, {amount} AS amount FROM raw"
    )


def _number(column: str) -> str:
    """Return the SQL of a column as a number, null where it is not finite."""
    number = f"try_cast({identifier(column)} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


_UNLISTED_CLICKS = "list_filter(clicked, lambda x: NOT list_contains(shown, x))"
_CHECKS = [  # conditions over the columns of the table `parsed`
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
    RowCheck(
        "",
        f"len({_UNLISTED_CLICKS}) > 0",
        f"the clicked item '{VALUE}' is not among the items shown",
        f"{_UNLISTED_CLICKS}[1]",
    ),
]


def _chunks(log: RawLog, rows: str) -> Iterator[pa.Table]:
    """Yield the rows of a relation in tables of at most `_CHUNK_ROWS` rows."""
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {rows}")
    for start in range(0, log.rows("parsed"), _CHUNK_ROWS):
        yield log.table(f"SELECT * FROM parsed WHERE rowid >= {start} AND rowid < {start + _CHUNK_ROWS}")
