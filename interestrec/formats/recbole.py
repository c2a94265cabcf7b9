"""RecBole atomic files: `.inter`, `.item`, `.user`, tab-separated with a header of `name:type` (Zhao et al. 2021)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.compute as pc

from interestrec.core.errors import DataError
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.raw_tables import distinct, moment, name_of, require
from interestrec.formats.text_lines import filled_lines
from interestrec.formats.user_tables import add_users

_USER, _ITEM, _TIME = "user_id", "item_id", "timestamp"


def read(
    log: RawLog,
    root: Path,
    max_bad_rows: int,
    merge_items: bool,
    inter: str,
    item: str,
    value: str | None,
    event: str,
    title: list[str],
    text: list[str],
    category: str | None,
    user: str | None = None,
    attributes: Sequence[str] = (),
) -> None:
    """Fill `items`, `events` and, where a file of users is named, `users`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a field is missing, or more malformed rows than tolerated.
    """
    _read_items(log, root / item, title, text, category)
    _read_events(log, root / inter, value, event)
    if user is not None:
        _read_users(log, root / user, list(attributes))
    log.settle_bad_rows(max_bad_rows)


def _blocks(log: RawLog, path: Path) -> Iterator[tuple[list[str], int]]:
    """Table `fields` of the well-formed rows of a block (`_row` and the fields by name); the names and the base."""
    base = log.begin(path)
    fields: list[str] = []
    for lines in filled_lines(log, path):
        if not fields:
            if not lines.num_rows:
                continue
            header = lines["line"][0].as_py().split("\t")
            fields = distinct([name.partition(":")[0] for name in header], path)
            log.rows_read -= 1
            lines = lines.slice(1)
        log.load("lines", lines)
        columns = ", ".join(f"f[{n + 1}] AS {name_of(name)}" for n, name in enumerate(fields))
        log.db.execute(
            "CREATE OR REPLACE TEMP TABLE atomic AS SELECT row, string_split(line, chr(9)) AS f FROM lines;"
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'expected {len(fields)} tab-separated fields, "
            f"found ' || len(f) FROM atomic WHERE len(f) <> {len(fields)};"
            f"CREATE OR REPLACE TEMP TABLE fields AS SELECT row AS _row, {columns} FROM atomic "
            f"WHERE len(f) = {len(fields)}"
        )
        yield fields, base
        log.reached(base + (pc.max(lines["row"]).as_py() or 0))
    if not fields:
        raise DataError(f"{path}: the file is empty; expected a header such as user_id:token")


def _read_items(log: RawLog, path: Path, title: list[str], text: list[str], category: str | None) -> None:
    for fields, base in _blocks(log, path):
        key = require(fields, _ITEM, path, "RecBole's item id")
        joined = {
            name: ", ".join(f"nullif(trim({require(fields, column, path, f'data.{name}')}), '')" for column in columns)
            for name, columns in {"title": title, "text": text}.items()
        }
        kind = f"nullif(trim({require(fields, category, path, 'data.category')}), '')" if category else "NULL"
        body = f"concat_ws(' ', {joined['text']})" if joined["text"] else "''"
        log.count_without_id("item", path, "fields", f"{key} = ''")
        log.db.execute(
            f"INSERT INTO items SELECT {key}, concat_ws(' ', {joined['title']}), {body}, {kind}, NULL, NULL, "
            f"_row + {base}, NULL FROM fields WHERE {key} <> ''"
        )


def _read_users(log: RawLog, path: Path, attributes: list[str]) -> None:
    log.user_attributes = attributes
    for fields, base in _blocks(log, path):
        key = require(fields, _USER, path, "RecBole's user id")
        values = [f"nullif(trim({require(fields, name, path, 'data.attributes')}), '')" for name in attributes]
        add_users(log, path, "fields", f"nullif(trim({key}), '')", values, base)


def _read_events(log: RawLog, path: Path, value: str | None, event: str) -> None:
    source = quoted(str(path))
    for fields, base in _blocks(log, path):
        user, item = (require(fields, name, path, "RecBole's id") for name in (_USER, _ITEM))
        time = f"nullif({name_of(_TIME)}, '')" if _TIME in fields else "CAST(NULL AS VARCHAR)"
        when = moment(f"try_cast({time} AS DOUBLE)", 1_000_000)
        measured = f"nullif({require(fields, value, path, 'data.value')}, '')" if value else "CAST(NULL AS VARCHAR)"
        wrong = (
            f"CASE WHEN {user} = '' OR {item} = '' THEN 'user or item is empty' "
            f"WHEN {time} IS NOT NULL AND {when} IS NULL THEN 'the time ''' || {time} || "
            f"''' is no number of seconds between 1900 and 2200' "
            f"WHEN {measured} IS NOT NULL AND NOT coalesce(isfinite(try_cast({measured} AS DOUBLE)), false) "
            f"THEN 'the value ''' || {measured} || ''' is not a number' END"
        )
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE checked AS SELECT *, {wrong} AS reason FROM fields;"
            f"INSERT INTO bad_rows SELECT {source}, _row, reason FROM checked WHERE reason IS NOT NULL;"
            f"INSERT INTO events SELECT {user}, {item}, {when}, {quoted(event)}, CAST({measured} AS DOUBLE), "
            f"_row + {base} FROM checked WHERE reason IS NULL"
        )
