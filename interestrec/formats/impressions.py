"""Impressions with list columns by mapping, Parquet or JSON lines: EB-NeRD's layout and its relatives.

A row holds the items shown and those of them that were clicked. The history is a list column of the row, or comes from
a separate table with one row per user (Kruse et al. 2024, "EB-NeRD: A Large-scale Dataset for News Recommendation").
"""

from __future__ import annotations

from collections.abc import Mapping
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
from interestrec.formats.history_tables import HistoryReader, HistoryTable, drop_repeated_histories
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    parsed_chunks,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.item_tables import read_items
from interestrec.formats.list_columns import IdLists, NumberLists
from interestrec.formats.spelled_data import SpelledData
from interestrec.formats.user_tables import read_users
from interestrec.rawfiles.file_patterns import expand_patterns
from interestrec.rawfiles.raw_log import COUNT, RawLog
from interestrec.rawfiles.raw_tables import LandedFile

_REPAIRABLE = 0.1  # share of unknown candidates above which repairs of ids are tried


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
        history_reader = HistoryReader(land_table(log, paths, keys, data, "data"), data, data.history.columns)
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
        drop_repeated_histories(log)
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
        for table in parsed_chunks(log, leave_out(log, self._checks(), "parsed")):
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
