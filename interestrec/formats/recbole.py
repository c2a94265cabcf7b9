"""RecBole atomic files: `.inter` and `.item`, tab-separated with a header of `name:type` (Zhao et al. 2021)."""

from pathlib import Path

from interestrec.core.errors import DataError
from interestrec.core.raw_log import Log
from interestrec.formats.lines import open_lines, quoted
from interestrec.formats.tables import distinct, moment, name_of, require

_USER, _ITEM, _TIME = "user_id", "item_id", "timestamp"


def read(
    log: Log,
    root: Path,
    max_bad_rows: int,
    inter: str,
    item: str,
    value: str | None,
    event: str,
    title: list[str],
    text: list[str],
    category: str | None,
) -> None:
    """Fill `items` and `events`.

    Raises:
        InputMissingError: a file is missing.
        DataError: a field is missing, or more malformed rows than tolerated.
    """
    _read_items(log, root / item, title, text, category)
    _read_events(log, root / inter, value, event)
    log.settle_bad_rows(max_bad_rows)


def _open(log: Log, path: Path) -> list[str]:
    """Table `atomic` (row, f VARCHAR[]) of the well-formed rows; the field names without their types."""
    open_lines(log, "lines", path)
    header = log.sql("SELECT line FROM lines ORDER BY row LIMIT 1")
    if not header:
        raise DataError(f"{path}: the file is empty; expected a header such as user_id:token")
    log.rows_read -= 1
    fields = distinct([name.partition(":")[0] for name in header[0][0].split("\t")], path)
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE atomic AS SELECT row, string_split(line, chr(9)) AS f FROM lines "
        "WHERE row > (SELECT min(row) FROM lines)"
    )
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'expected {len(fields)} tab-separated fields, found ' "
        f"|| len(f) FROM atomic WHERE len(f) <> {len(fields)}; DELETE FROM atomic WHERE len(f) <> {len(fields)}"
    )
    columns = ", ".join(f"f[{n + 1}] AS {name_of(name)}" for n, name in enumerate(fields))
    log.db.execute(f"CREATE OR REPLACE TEMP VIEW fields AS SELECT row, {columns} FROM atomic")
    return fields


def _read_items(log: Log, path: Path, title: list[str], text: list[str], category: str | None) -> None:
    fields = _open(log, path)
    key = require(fields, _ITEM, path, "RecBole's item id")
    joined = {
        name: ", ".join(f"nullif(trim({require(fields, column, path, f'data.{name}')}), '')" for column in columns)
        for name, columns in {"title": title, "text": text}.items()
    }
    kind = f"nullif(trim({require(fields, category, path, 'data.category')}), '')" if category else "NULL"
    body = f"concat_ws(' ', {joined['text']})" if joined["text"] else "''"
    log.db.execute(
        f"INSERT INTO items SELECT {key}, concat_ws(' ', {joined['title']}), "
        f"{body}, {kind}, NULL, NULL, row, NULL "
        f"FROM fields WHERE {key} <> '' ORDER BY row"
    )


def _read_events(log: Log, path: Path, value: str | None, event: str) -> None:
    fields = _open(log, path)
    user, item = (require(fields, name, path, "RecBole's id") for name in (_USER, _ITEM))
    time = f"nullif({name_of(_TIME)}, '')" if _TIME in fields else "NULL"
    when = moment(f"try_cast({time} AS DOUBLE)", 1_000_000)
    measured = f"nullif({require(fields, value, path, 'data.value')}, '')" if value else "NULL"
    source = quoted(str(path))
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {source}, row, CASE WHEN {user} = '' OR {item} = '' THEN 'user or item is empty' "
        f"WHEN {time} IS NOT NULL AND {when} IS NULL THEN 'the time ''' || {time} || "
        f"''' is no number of seconds between 1900 and 2200' "
        f"ELSE 'the value ''' || {measured} || ''' is not a number' END FROM fields "
        f"WHERE {user} = '' OR {item} = '' OR ({time} IS NOT NULL AND {when} IS NULL) "
        f"OR ({measured} IS NOT NULL AND NOT coalesce(isfinite(try_cast({measured} AS DOUBLE)), false))"
    )
    log.db.execute(
        f"INSERT INTO events SELECT {user}, {item}, {when}, "
        f"{quoted(event)}, CAST({measured} AS DOUBLE), NULL, row, {source}, row FROM fields "
        f"WHERE row NOT IN (SELECT row FROM bad_rows WHERE source = {source}) ORDER BY row"
    )
