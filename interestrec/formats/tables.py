"""Opening a raw file as a table of columns with the number of each row in the file."""

import re
from pathlib import Path

import duckdb

from interestrec.core.catalogue import suggestion
from interestrec.core.errors import DataError, InputMissingError
from interestrec.core.raw_log import Log
from interestrec.formats.lines import load_lines, open_lines, quoted

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def name_of(column: str) -> str:
    """A column's name as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def open_table(log: Log, table: str, path: Path, delimiter: str | None) -> list[str]:
    """A table of a file's columns plus `_row`; the names of the columns.

    Columns of CSV, TSV and JSON lines are text, null where empty, `_row` is the line a record begins in; malformed
    records go to `bad_rows`. Parquet keeps its types, `_row` counts from 1. `.gz` may follow the suffix of text.

    Raises:
        InputMissingError, DataError: the file is missing, of no known kind, or not readable as what it is.
    """
    if not path.is_file():
        raise InputMissingError(f"{path}: no such file; check data.root and the file's name")
    kind = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    try:
        if kind == ".parquet":
            _open_parquet(log, table, path)
        elif kind in (".jsonl", ".ndjson"):
            _open_json_lines(log, table, path)
        elif delimiter or kind in _DELIMITERS:
            _open_delimited(log, table, path, delimiter or _DELIMITERS[kind])
        else:
            raise DataError(f"{path}: unknown kind of file; use .csv, .tsv, .jsonl, .parquet, or give `delimiter`")
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: cannot be read ({reason}); check the file") from error
    columns = [row[0] for row in log.sql(f"SELECT column_name FROM (DESCRIBE {table})")]
    return [column for column in columns if column != "_row"]


def _open_parquet(log: Log, table: str, path: Path) -> None:
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS _row "
        f"FROM read_parquet({quoted(str(path))}, file_row_number = true)"
    )
    log.rows_read += log.rows(table)


def _open_json_lines(log: Log, table: str, path: Path) -> None:
    """One JSON object a line; a whole number keeps no fraction, so that an id 13085.0 is 13085."""
    open_lines(log, "lines", path)
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'not a JSON object' FROM lines "
        "WHERE NOT json_valid(line) OR json_type(line) <> 'OBJECT';"
        "DELETE FROM lines WHERE NOT json_valid(line) OR json_type(line) <> 'OBJECT'"
    )
    keys = [row[0] for row in log.sql("SELECT DISTINCT unnest(json_keys(line)) AS key FROM lines ORDER BY key")]
    columns = []
    for key in distinct(keys, path):
        where = quoted("$." + '"' + key.replace('"', '\\"') + '"')
        text = f"json_extract_string(line, {where})"
        number = f"try_cast({text} AS DOUBLE)"
        columns.append(
            f"nullif(CASE WHEN json_type(line, {where}) = 'DOUBLE' AND {number} = floor({number}) "
            f"THEN coalesce(CAST(try_cast({number} AS BIGINT) AS VARCHAR), {text}) ELSE {text} END, '') "
            f"AS {name_of(key)}"
        )
    log.db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {', '.join([*columns, 'row AS _row'])} FROM lines")


def _open_delimited(log: Log, table: str, path: Path, delimiter: str) -> None:
    """CSV and its kin (RFC 4180): a header, fields that may be quoted, quoted fields that may span lines."""
    load_lines(log, "lines", path)
    _split_fields(log, "lines", delimiter)
    if not log.rows("records"):
        raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")
    width = "(SELECT len(f) FROM records ORDER BY row LIMIT 1)"
    whole = f"SELECT count(*) FROM records WHERE f IS NULL OR len(f) <> {width}"
    # Only where a line alone is no record can a quoted field span lines; a lone quote within a field is harmless.
    if log.number(whole) and log.number("SELECT count(*) FROM lines WHERE contains(line, '\"')"):
        _join_quoted_lines(log)
        _split_fields(log, "joined", delimiter)
    names, header = log.sql("SELECT f, row FROM records ORDER BY row LIMIT 1")[0]
    if names is None:
        raise DataError(f"{path}:{header}: the header has a quote that is not closed; correct it")
    log.rows_read -= 1
    log.db.execute(
        f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, CASE WHEN f IS NULL THEN 'a quote is not closed, or "
        f"followed by more than the delimiter' ELSE 'expected {len(names)} columns, found ' || len(f) END "
        f"FROM records WHERE f IS NULL OR len(f) <> {len(names)}"
    )
    columns = ", ".join(f"nullif(f[{n}], '') AS {name_of(name)}" for n, name in enumerate(distinct(names, path), 1))
    log.db.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {columns}, row AS _row FROM records "
        f"WHERE len(f) = {len(names)} AND row > {header} ORDER BY row"
    )


def _split_fields(log: Log, lines: str, delimiter: str) -> None:
    """Table `records` (row, f VARCHAR[]): the fields without their quotes, null where the quotes are wrong."""
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{d}][^{d}]*|)'
    record = quoted(f"(?s){field}(?:{d}{field})*")
    # Every match begins with a delimiter, so that no match is empty.
    fields = f"regexp_extract_all({quoted(delimiter)} || line, {quoted(f'(?s){d}({field})')}, 1)"
    bare = "lambda x: CASE WHEN starts_with(x, '\"') THEN replace(x[2:-2], '\"\"', '\"') ELSE x END"
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE records AS SELECT row, CASE "
        f"WHEN NOT contains(line, '\"') THEN string_split(line, {quoted(delimiter)}) "
        f"WHEN regexp_full_match(line, {record}) THEN list_transform({fields}, {bare}) END AS f "
        f"FROM {lines} WHERE line <> ''"
    )


def _join_quoted_lines(log: Log) -> None:
    """Table `joined` (row, line): a line that an odd number of quotes precedes continues the record before it."""
    quotes = "len(line) - len(replace(line, '\"', ''))"
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE joined AS SELECT min(row) AS row, string_agg(line, chr(10) ORDER BY row) AS line "
        "FROM (SELECT row, line, sum(CAST(NOT inside AS BIGINT)) OVER (ORDER BY row) AS record FROM (SELECT row, line, "
        f"coalesce(sum({quotes}) OVER (ORDER BY row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) % 2 = 1 "
        "AS inside FROM lines)) GROUP BY record"
    )


def distinct(names: list[str], path: Path) -> list[str]:
    """The names of the columns.

    Raises:
        DataError: two are equal but for case.
    """
    seen = {"_row"}
    for name in names:
        if name.lower() in seen:
            raise DataError(f"{path}: two columns are called '{name}'; rename one")
        seen.add(name.lower())
    return names


def moment(number: str, microseconds: int) -> str:
    """SQL of a number of units of so many microseconds since 1970 as a timestamp; null outside 1900 to 2200.

    A year beyond is a unit mistaken for another.
    """
    first, last = -2_208_988_800 * 1_000_000 // microseconds, 7_258_118_400 * 1_000_000 // microseconds
    stamp = f"make_timestamp(CAST({number} * {microseconds} AS BIGINT))"
    return f"CASE WHEN {number} BETWEEN {first} AND {last} THEN {stamp} END"


def require(columns: list[str], wanted: str, path: Path, key: str) -> str:
    """The SQL identifier of a column that must be there.

    Raises:
        DataError: it is not; the message names the columns there are.
    """
    if wanted in columns:
        return name_of(wanted)
    raise DataError(
        f"{path}: has no column '{wanted}' ({key}){suggestion(wanted, columns)}; it has: {', '.join(columns)}"
    )
