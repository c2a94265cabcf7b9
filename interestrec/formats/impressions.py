"""Impressions with list columns by mapping, Parquet or JSON lines: EB-NeRD's layout and its kin.

A row says what was shown and what of it was clicked. The history comes as a list column of the row, or from a table
of its own with one row a user (Kruse et al. 2024, "EB-NeRD: A Large-scale Dataset for News Recommendation").
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.formats.column_sql import id_of, time_of
from interestrec.formats.events import read_items
from interestrec.formats.file_patterns import expand_patterns
from interestrec.formats.impression_lists import (
    ItemCoder,
    add_impressions,
    count_one_class,
    settle_histories,
    stage_histories,
)
from interestrec.formats.item_codes import code_items
from interestrec.formats.raw_log import EXAMPLES, RawLog, quoted
from interestrec.formats.raw_tables import name_of, require, scan
from interestrec.formats.user_tables import read_users

_ROWS = 100_000  # impressions worked on at once
_KEY = "data.columns"


def read(
    log: RawLog,
    root: Path,
    max_bad_rows: int,
    merge_items: bool,
    train: list[str],
    valid: list[str],
    test: list[str],
    columns: dict[str, Any],
    time_unit: str,
    history: dict[str, Any] | None,
    items: dict[str, Any] | None,
    users: dict[str, Any] | None = None,
) -> None:
    """Fill `items`, `users`, `segments`, `impressions` and `clicks`; the last arguments are the mappings of `data`.

    Without `items` the catalogue is every id that is met, and no item has a text.

    Raises:
        InputMissingError: a file is missing.
        DataError: a column is missing, or more malformed rows than tolerated.
    """
    files = {
        split: expand_patterns(root, names) for split, names in {"train": train, "valid": valid, "test": test}.items()
    }
    histories = {split: expand_patterns(root, history[split]) for split in files} if history else {}
    if items is not None:
        for path in expand_patterns(root, items["files"]):
            read_items(log, path, items)
    else:
        _items_met(log, files, columns, histories, history)
    for path in expand_patterns(root, users["files"]) if users else []:
        read_users(log, path, users or {})
    code_items(log, merge_items)
    coder = ItemCoder(log)
    stage_histories(log)
    log.db.execute("CREATE TEMP TABLE of_user (split split_name, user_id VARCHAR, segment BIGINT)")
    for split, paths in histories.items():
        for path in paths:
            _read_histories(coder, path, split, history or {}, time_unit)
    for split, paths in files.items():
        for path in paths:
            _read_impressions(coder, path, split, columns, time_unit)
    log.settle_bad_rows(max_bad_rows)
    coder.report()
    settle_histories(log)
    if history:
        _one_history_each(log)
        log.db.execute("INSERT INTO stated SELECT ord, segment FROM impressions JOIN of_user USING (user_id, split)")
    count_one_class(log)


def _items_met(
    log: RawLog,
    files: Mapping[str, list[Path]],
    columns: Mapping[str, Any],
    histories: Mapping[str, list[Path]],
    history: Mapping[str, Any] | None,
) -> None:
    """Every id of a list column is an item without attributes."""
    wanted = [(path, [columns["shown"], columns["history"]]) for paths in files.values() for path in paths]
    wanted += [(path, [(history or {})["columns"]["items"]]) for paths in histories.values() for path in paths]
    log.db.execute("CREATE TEMP TABLE met (item_id VARCHAR)")
    rows = log.rows_read
    for path, names in wanted:
        chosen = [name for name in names if name]
        for types in scan(log, path, chosen, None):
            for name in chosen:
                require(list(types), name, path, _KEY)
                log.db.execute(f"INSERT INTO met SELECT DISTINCT unnest({_list(types, name)}) FROM raw")
    log.rows_read = rows  # they are read once more
    log.db.execute(
        "DELETE FROM bad_rows; INSERT INTO items SELECT item_id, '', '', NULL, NULL, NULL, "
        "row_number() OVER (ORDER BY item_id), NULL FROM (SELECT DISTINCT item_id FROM met WHERE item_id <> '');"
        "DROP TABLE met"
    )


def _list(types: Mapping[str, str], column: str) -> str:
    """SQL of a list column as VARCHAR[]; JSON text is parsed, a null list is empty."""
    name = name_of(column)
    text = types[column] == "VARCHAR"
    lists = f"try_cast(from_json(try_cast({name} AS JSON), '[\"VARCHAR\"]') AS VARCHAR[])" if text else name
    found = f"coalesce(CAST({lists} AS VARCHAR[]), [])"
    if types[column].startswith(("DOUBLE", "FLOAT")):  # the id 13085.0 is 13085
        return f"list_transform({found}, lambda x: regexp_replace(x, '\\.0$', ''))"
    return found


def _read_histories(coder: ItemCoder, path: Path, split: str, history: Mapping[str, Any], unit: str) -> None:
    log, columns, key = coder.log, history["columns"], "data.history.columns"
    base = log.begin(path)
    for types in scan(log, path, [name for name in columns.values() if name], None):
        for role, name in columns.items():
            if name:
                require(list(types), name, path, f"{key}.{role}")
        ids = _list(types, columns["items"])
        times, amounts = _entries(types, columns["times"], unit), _amounts(types, columns["values"])
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {id_of(types, columns['user'])} AS user_id, "
            f"{ids} AS ids, {times} AS times, {amounts} AS amounts FROM raw"
        )
        if columns["times"] or columns["values"]:  # a null list tells of no entry
            log.db.execute(
                "CREATE OR REPLACE TEMP TABLE parsed AS SELECT * REPLACE ("
                f"{_filled('times', columns['times'])}, {_filled('amounts', columns['values'])}) FROM parsed"
            )
        uneven = "len(times) <> len(ids) OR len(amounts) <> len(ids)"
        log.db.execute(
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, _row, 'times or values are not as many as items' "
            f"FROM parsed WHERE {uneven}; DELETE FROM parsed WHERE {uneven}"
        )
        for table in _chunks(log):
            _add_histories(coder, table, split, base)
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


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


def _add_histories(coder: ItemCoder, table: pa.Table, split: str, base: int) -> None:
    log = coder.log
    coded = coder.look_up(table["ids"].combine_chunks())
    coder.count(coded, "history entries")
    segments = pc.add(table["_row"], base)
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


def _read_impressions(coder: ItemCoder, path: Path, split: str, columns: Mapping[str, Any], unit: str) -> None:
    log = coder.log
    base = log.begin(path)
    for types in scan(log, path, [name for name in columns.values() if name], None):
        for role, name in columns.items():
            if name:
                require(list(types), name, path, f"{_KEY}.{role}")
        _parse(log, types, columns, unit)
        _refuse(log, path)
        for table in _chunks(log):
            counts = pc.list_value_length(table["shown"]).to_numpy()
            amounts = np.repeat(table["amount"].to_numpy(), counts) if columns["value"] else None
            rows = pa.table(
                {
                    "impression_id": table["impression_id"],
                    "user_id": table["user_id"],
                    "time": table["time"],
                    "ord": pc.add(table["_row"], base),
                }
            )
            shown = coder.look_up(table["shown"].combine_chunks())
            history = coder.look_up(table["history"].combine_chunks()) if columns["history"] else None
            marks = table["marks"].combine_chunks().flatten().to_numpy().astype(np.uint8)
            add_impressions(coder, rows, shown, marks, amounts, history, split)
        log.reached(base + log.number("SELECT max(_row) FROM raw"))


def _parse(log: RawLog, types: Mapping[str, str], columns: Mapping[str, Any], unit: str) -> None:
    """Table `parsed`, one row an impression."""
    # Expressions are repeated in full: a column of the file may have the name of one given here, and other types.
    shown = _list(types, columns["shown"])
    if columns["labels"]:
        marks = (
            f"list_transform({_list(types, columns['labels'])}, lambda x: CAST(try_cast(x AS DOUBLE) > 0 AS UTINYINT))"
        )
        clicked = "CAST([] AS VARCHAR[])"
    else:
        clicked = _list(types, columns["clicked"])
        marks = f"list_transform({shown}, lambda x: CAST(coalesce(list_contains({clicked}, x), false) AS UTINYINT))"
    name = id_of(types, columns["impression"]) if columns["impression"] else "CAST(_row AS VARCHAR)"
    raw_time = f"CAST({name_of(columns['time'])} AS VARCHAR)" if columns["time"] else "NULL"
    amount = f"{_number(columns['value'])}" if columns["value"] else "CAST(NULL AS DOUBLE)"
    history = _list(types, columns["history"]) if columns["history"] else "CAST([] AS VARCHAR[])"
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE parsed AS SELECT _row, {name} AS impression_id, "
        f"{id_of(types, columns['user'])} AS user_id, {time_of(types, columns['time'], unit)} AS time, "
        f"{raw_time} AS raw_time, {shown} AS shown, {marks} AS marks, "
        f"{clicked} AS clicked, {history} AS history, {amount} AS amount FROM raw"
    )


def _number(column: str) -> str:
    """SQL of a column as a number, null where it is not finite."""
    number = f"try_cast({name_of(column)} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def _refuse(log: RawLog, path: Path) -> None:
    """Move malformed rows of `parsed` to `bad_rows`."""
    stray = "list_filter(clicked, lambda x: NOT list_contains(shown, x))"
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE checked AS SELECT *, CASE WHEN user_id IS NULL THEN 'the user is empty' "
        "WHEN impression_id IS NULL THEN 'the id of the impression is empty' "
        "WHEN raw_time <> '' AND time IS NULL THEN 'the time ''' || raw_time || ''' cannot be read' "
        "WHEN len(shown) = 0 THEN 'no candidates' "
        "WHEN len(list_filter(marks, lambda x: x IS NULL)) > 0 THEN 'a label is not a number' "
        "WHEN len(marks) <> len(shown) THEN len(marks) || ' labels for ' || len(shown) || ' candidates' "
        f"WHEN len({stray}) > 0 THEN 'the clicked item ''' || {stray}[1] || ''' is not among the shown' END AS reason "
        "FROM parsed;"
        f"INSERT INTO bad_rows SELECT {quoted(str(path))}, _row, reason FROM checked WHERE reason IS NOT NULL;"
        "CREATE OR REPLACE TEMP TABLE parsed AS SELECT * EXCLUDE (reason) FROM checked WHERE reason IS NULL"
    )


def _chunks(log: RawLog) -> Iterator[pa.Table]:
    """The table `parsed`, some rows at a time."""
    for start in range(0, log.rows("parsed"), _ROWS):
        yield log.table(f"SELECT * FROM parsed WHERE rowid >= {start} AND rowid < {start + _ROWS}")
