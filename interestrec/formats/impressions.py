"""Impressions with list columns by mapping, Parquet or JSON lines: EB-NeRD's layout and its relatives.

A row holds the items shown and those of them that were clicked. The history is a list column of the row, or comes from
a separate table with one row per user (Kruse et al. 2024, "EB-NeRD: A Large-scale Dataset for News Recommendation").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from interestrec.columns.id_repairs import repair_advice
from interestrec.columns.landed_tables import LandedTable, column_keys, land_table
from interestrec.columns.row_checks import RowCheck, leave_out
from interestrec.columns.table_settings import ItemTable, NotationSettings, UserTable
from interestrec.core.deferred_import import np, pa, pc
from interestrec.core.errors import VALUE, TooFewRowsError
from interestrec.core.section import Section
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.item_tables import read_items
from interestrec.formats.list_columns import IdLists, NumberLists, TimeLists
from interestrec.formats.spelled_data import SpelledData
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.quality_log import EXAMPLES
from interestrec.rawfiles.raw_log import COUNT, RawLog
from interestrec.rawfiles.raw_tables import LandedFile

_REPAIRABLE = 0.1  # share of unknown candidates above which repairs of ids are tried
_CHUNK_ROWS = 100_000  # rows of impressions or histories processed at once


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


class ImpressionsData(NotationSettings, SpelledData):
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
        DataError: a column is missing or cannot be decided, or more malformed rows than tolerated.
    """
    files = _files(data.root, data)
    histories = _files(data.root, data.history) if data.history else {}
    paths = [path for of_split in files.values() for path in of_split]
    table = land_table(log, paths, column_keys(data.columns, "data"), data, "data")
    reader = _ImpressionReader(table, data)
    history_reader = None
    if data.history is not None:
        paths = [path for of_split in histories.values() for path in of_split]
        keys = column_keys(data.history.columns, "data.history")
        history_reader = _HistoryReader(land_table(log, paths, keys, data, "data"), data, data.history.columns)
    if data.items is not None:
        read_items(log, expand_patterns(data.root, data.items.files), data.items, data.ids)
    else:
        _add_listed_items(log, [*reader.item_lists(), *(history_reader.item_lists() if history_reader else [])])
    if data.users is not None:
        read_users(log, expand_patterns(data.root, data.users.files), data.users, data.user_ids)
    code_items(log)
    coder = ItemCoder(log)
    stage_histories(log)
    log.db.execute("CREATE TEMP TABLE user_segments (split split_name, user_id VARCHAR, segment BIGINT)")
    if history_reader is not None:
        for file in history_reader.table.take_files():
            history_reader.read(coder, file, _split_of(histories, file))
    for file in table.take_files():
        reader.read(coder, file, _split_of(files, file))
    log.settle_bad_rows(data.max_bad_rows)
    coder.report()
    _require_known_items(coder)
    settle_histories(log)
    if data.history is not None:
        _drop_repeated_histories(log)
        log.db.execute(
            "INSERT INTO impression_segments "
            "SELECT ord, segment FROM impressions JOIN user_segments USING (user_id, split)"
        )
    count_one_class(log)


def _require_known_items(coder: ItemCoder) -> None:
    """Refuse a log none of whose candidates is a known item, or warn where another spelling of ids would find them.

    Raises:
        TooFewRowsError: no candidate is known.
    """
    log, unknown = coder.log, list(coder.unknown.get("candidates", ()))
    total, known = coder.entries.get("candidates", [0, 0])
    if total - known <= _REPAIRABLE * total:
        return
    log.load("unknown_candidates", pa.table({"id": pa.array(unknown, pa.string())}))
    advice = repair_advice(log, "FROM unknown_candidates", "SELECT DISTINCT item_id AS id FROM item_codes")
    log.db.execute("DROP TABLE unknown_candidates")
    if not known:
        raise TooFewRowsError(f"none of {total:,} candidates is in the table of items; {advice.sentence('data.ids')}")
    if advice.explains:
        reason = f"{total - known:,} of {total:,} candidates are no known items; {advice.sentence('data.ids')}"
        log.quality.warn(reason)
        log.quality.count("ids spelled differently", total, total, reason)


def _files(root: Path, tables: ImpressionsData | HistoryTable) -> dict[str, list[Path]]:
    """Return the paths of the files by split."""
    names_by_split = {"train": tables.train, "valid": tables.valid, "test": tables.test}
    return {split: expand_patterns(root, names) for split, names in names_by_split.items()}


def _add_listed_items(log: RawLog, lists: list[tuple[str, str]]) -> None:
    """Add every id of columns of lists, given as relation and SQL of the list, as an item without attributes."""
    log.db.execute("CREATE TEMP TABLE listed_items (item_id VARCHAR)")
    for relation, ids in lists:
        log.db.execute(f"INSERT INTO listed_items SELECT DISTINCT unnest({ids}) FROM {relation}")
    distinct = "SELECT DISTINCT item_id FROM listed_items WHERE item_id <> ''"
    kept = log.rows_kept
    log.add_items(
        f"(SELECT item_id, row_number() OVER (ORDER BY item_id) AS _row FROM ({distinct}))", item_id="item_id"
    )
    log.rows_kept = kept  # the rows of the lists are counted when they are handed over
    log.db.execute("DROP TABLE listed_items")


def _split_of(files: Mapping[str, list[Path]], file: LandedFile) -> str:
    return next(split for split, paths in files.items() if file.path in paths)


class _HistoryReader:
    """Reads tables of histories, one row per user."""

    def __init__(self, table: LandedTable, data: ImpressionsData, columns: HistoryColumns) -> None:
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
        for chunk in _chunks(log, rows):
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


class _ImpressionReader:
    """Reads tables of impressions, one row per impression."""

    def __init__(self, table: LandedTable, data: ImpressionsData) -> None:
        self.table, self.columns = table, data.columns
        columns = data.columns
        self.user = table.id(columns.user, data.user_ids)
        self.impression = table.id(columns.impression) if columns.impression else None
        self.time = table.time(columns.time) if columns.time else None
        self.value = table.number(columns.value) if columns.value else None
        self.shown = IdLists(table, columns.shown, data.ids)
        self.clicked = IdLists(table, columns.clicked, data.ids) if columns.clicked else None
        self.history = IdLists(table, columns.history, data.ids) if columns.history else None
        self.labels = NumberLists(table, columns.labels) if columns.labels else None

    def item_lists(self) -> list[tuple[str, str]]:
        """Return the relation and the SQL of the lists of items of every file."""
        lists = [self.shown, *([self.history] if self.history else [])]
        return [(file.relation, each.expression(file.types)) for file in self.table.files for each in lists]

    def read(self, coder: ItemCoder, file: LandedFile, split: str) -> None:
        """Append the rows of a file to the impressions of a split."""
        log = coder.log
        self._parse(file)
        for table in _chunks(log, leave_out(log, self._checks(), "parsed")):
            counts = pc.list_value_length(table["shown"]).to_numpy()
            amounts = np.repeat(table["amount"].to_numpy(), counts) if self.value else None
            rows = table.select(["impression_id", "user_id", "time"]).append_column("ord", log.orders(table["_row"]))
            candidates = coder.look_up(table["shown"].combine_chunks())
            history = coder.look_up(table["history"].combine_chunks()) if self.history else None
            marks = table["marks"].combine_chunks().flatten().to_numpy().astype(np.uint8)
            add_impressions(coder, rows, candidates, marks, amounts, history, split)

    def _parse(self, file: LandedFile) -> None:
        """Create the table `parsed`, one row per impression of a file."""
        # Expressions are repeated in full: a column of the file may have the name of an alias and another type.
        types = file.types
        shown, empty = self.shown.expression(types), "CAST([] AS VARCHAR[])"
        clicked = self.clicked.expression(types) if self.clicked else empty
        marks = f"list_transform({shown}, lambda x: CAST(coalesce(list_contains({clicked}, x), false) AS UTINYINT))"
        if self.labels:
            labels = f"coalesce({self.labels.expression(types)}, [])"
            marks = f"list_transform({labels}, lambda x: CAST(x > 0 AS UTINYINT))"
        name = self.impression.expression(types[self.impression.column.name]) if self.impression else "_row::VARCHAR"
        time, raw_time = "CAST(NULL AS TIMESTAMP)", "CAST(NULL AS VARCHAR)"
        if self.time:
            sql_type = types[self.time.column.name]
            time, raw_time = self.time.expression(sql_type), self.time.column.text(sql_type)
        amount = self.value.expression(types[self.value.column.name]) if self.value else "CAST(NULL AS DOUBLE)"
        history = self.history.expression(types) if self.history else empty
        self.table.log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {name} AS impression_id, "
            f"{self.user.expression(types[self.columns.user])} AS user_id, {time} AS time, {raw_time} AS raw_time, "
            f"{shown} AS shown, {marks} AS marks, {clicked} AS clicked, {history} AS history, {amount} AS amount "
            f"FROM {file.relation}"
        )

    def _checks(self) -> list[RowCheck]:
        """Return the checks of rows of the table `parsed` that are no impressions."""
        reason = self.time.reason if self.time else ""
        return [
            *_CHECKS_OF_IDS,
            RowCheck("", "raw_time IS NOT NULL AND time IS NULL", reason, "raw_time"),
            *_CHECKS_OF_LISTS,
        ]


_UNLISTED_CLICKS = "list_filter(clicked, lambda x: NOT list_contains(shown, x))"
_CHECKS_OF_IDS = [  # conditions over the columns of the table `parsed`
    RowCheck("", "user_id IS NULL", "the user is empty"),
    RowCheck("", "impression_id IS NULL", "the id of the impression is empty"),
]
_CHECKS_OF_LISTS = [
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
