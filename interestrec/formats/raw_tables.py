"""Opening raw files as relations of columns with the number of each row in its file, block by block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from interestrec.core.choices import suggestion
from interestrec.core.deferred_import import duckdb, pa
from interestrec.core.errors import DataError, InputMissingError, from_os_error
from interestrec.formats.quoted_records import split_fields, whole_records
from interestrec.formats.raw_log import COUNT, RawLog, quoted
from interestrec.formats.text_lines import filled_lines, read_lines
from interestrec.io.parquet_limits import MAX_COLUMNS, limit_violation

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMED = 50  # columns that a message lists


def name_of(column: str) -> str:
    """A column's name as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def scan(
    log: RawLog, path: Path, wanted: Sequence[str], delimiter: str | None = None, joined: bool = False
) -> Iterator[dict[str, str]]:
    """Relation `raw` with a file's columns plus `_row`, block after block; yields the columns' types by name.

    Columns of CSV, TSV and JSON lines are text, null where empty, `_row` is the line a record begins in; malformed
    records go to `bad_rows`. Parquet keeps its types, `_row` counts from 1, and the whole file is one block that is
    read while it is used. `.gz` may follow the suffix of text. Of JSON lines only `wanted` is there, where `a.b` is
    the value b within a. Directories such as `day=2026-03-01` above the file are columns of text, too.

    Args:
        wanted: the columns that must be used of JSON lines.
        delimiter: of a text file, where the suffix does not tell it.
        joined: the rows only complete rows of other files: they count as kept and take no `ord`.

    Raises:
        InputMissingError, DataError: the file is missing, of no known kind, or not readable as what it is.
    """
    if not path.is_file():
        raise InputMissingError(f"{path}: no such file; check data.root and the file's name")
    kind = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    if kind == ".parquet":
        blocks = _parquet(log, path)
    elif kind in (".jsonl", ".ndjson", ".json"):
        blocks = _json_lines(log, path, wanted)
    elif delimiter or kind in _DELIMITERS:
        blocks = _delimited(log, path, delimiter or _DELIMITERS[kind])
    else:
        raise DataError(f"{path}: unknown kind of file; use .csv, .tsv, .jsonl, .parquet, or give `delimiter`")
    yield from _blocks(log, path, blocks, joined)


def scan_fields(
    log: RawLog,
    path: Path,
    separator: str,
    fields: str,
    names: Sequence[str] = (),
    header: Callable[[str], str] = str,
    encoding: str = "utf-8",
) -> Iterator[dict[str, str]]:
    """As `scan`, of lines whose fields are separated by a text and never quoted; an empty field is empty text.

    Args:
        fields: what a message calls them, such as `tab-separated fields`.
        names: of the columns. Without any the first line is a header, and `header` gives a name of each of its fields.
        encoding: of blocks of lines that are not UTF-8.

    Raises:
        InputMissingError, DataError: the file is missing, not text, or should have a header and is empty.
    """
    yield from _blocks(log, path, _separated(log, path, separator, fields, list(names), header, encoding))


def scan_objects(log: RawLog, path: Path) -> Iterator[dict[str, str]]:
    """As `scan`, of JSON lines, each whole as text in the column `record`."""
    yield from _blocks(log, path, ("SELECT row AS _row, line AS record FROM lines" for _ in _object_lines(log, path)))


def _blocks(log: RawLog, path: Path, relations: Iterator[str], joined: bool = False) -> Iterator[dict[str, str]]:
    """Each relation as `raw`; yields the types of its columns."""
    log.begin(path)
    keys = _partitions(path, log.quality.root)
    try:
        for relation in relations:
            log.db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT *{keys} FROM ({relation})")
            types = {name: kind for name, kind, *_ in log.sql("DESCRIBE raw")}
            if joined:
                log.rows_kept += log.rows("raw")
            else:
                log.reached(log.number("SELECT max(_row) FROM raw"))
            yield {name: kind for name, kind in types.items() if name != "_row"}
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: cannot be read; check the file", f" ({reason})") from error


def _partitions(path: Path, root: Path) -> str:
    """SQL of the columns that directories named `key=value` below the root stand for."""
    parts = path.relative_to(root).parent.parts if path.is_relative_to(root) else ()
    pairs = [part.split("=", 1) for part in parts if re.fullmatch(r"[A-Za-z_]\w*=.*", part)]
    return "".join(f", {quoted(value)} AS {name_of(key)}" for key, value in pairs)


def _parquet(log: RawLog, path: Path) -> Iterator[str]:
    _require_plausible(path)
    limit = "" if log.sample is None else f" LIMIT {log.sample}"
    source = f"FROM read_parquet({quoted(str(path))}, file_row_number = true, hive_partitioning = false){limit}"
    log.rows_read += log.number(f"SELECT count(*) FROM ({source})")
    yield f"SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS _row {source}"


def _require_plausible(path: Path) -> None:
    import pyarrow.parquet as pq

    try:
        fault = limit_violation(pq.read_metadata(path), path.stat().st_size)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system failed; damage has no number
            raise from_os_error(error, path) from error
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read; check the file", f" ({reason})") from error
    if fault:
        raise DataError(f"{path}: is no table of real rows, {fault}; do not use it")


def _json_lines(log: RawLog, path: Path, wanted: Sequence[str]) -> Iterator[str]:
    """One JSON object a line; a whole number keeps no fraction, so that an id 13085.0 is 13085."""
    keys: set[str] = set()
    found: set[str] = set()
    for _ in _object_lines(log, path):
        if not keys:
            keys = {row[0] for row in log.sql("SELECT DISTINCT unnest(json_keys(line)) FROM (FROM lines LIMIT 1000)")}
        columns = ", ".join([*(f"{_json_value(name)} AS {name_of(name)}" for name in wanted), "row AS _row"])
        log.db.execute(f"CREATE OR REPLACE TEMP TABLE records AS SELECT {columns} FROM lines")
        present = ", ".join(f"count({name_of(name)})" for name in wanted)
        found |= {n for n, count in zip(wanted, log.sql(f"SELECT {present} FROM records")[0], strict=True) if count}
        yield "FROM records"
    # A key that is always null is a column without values; a path that leads nowhere is a spelling mistake.
    absent = [name for name in wanted if name not in found and ("." in name or name not in keys)]
    if absent and keys:
        require(sorted(keys), absent[0], path, "no record has it")


def _object_lines(log: RawLog, path: Path) -> Iterator[None]:
    """Table `lines` (row, line) of a file's JSON objects, block after block."""
    fine = "coalesce(json_type(try_cast(line AS JSON)) = 'OBJECT', false)"
    for lines in filled_lines(log, path):
        log.load("lines", lines)
        log.refuse(f"(SELECT row AS _row FROM lines WHERE NOT {fine})", "not a JSON object")
        log.db.execute(f"DELETE FROM lines WHERE NOT {fine}")
        yield


def _json_value(name: str) -> str:
    steps = [part.replace("\\", "\\\\").replace('"', '\\"') for part in name.split(".")]
    where = quoted("$" + "".join(f'."{step}"' for step in steps))
    text = f"json_extract_string(line, {where})"
    number = f"try_cast({text} AS DOUBLE)"
    return (
        f"nullif(CASE WHEN json_type(line, {where}) = 'DOUBLE' AND {number} = floor({number}) "
        f"THEN coalesce(CAST(try_cast({number} AS BIGINT) AS VARCHAR), {text}) ELSE {text} END, '')"
    )


def _delimited(log: RawLog, path: Path, delimiter: str) -> Iterator[str]:
    """CSV and its relatives: a header, then records."""
    names: list[str] = []
    for lines in whole_records(log, read_lines(log, path), delimiter):
        split_fields(log, lines, delimiter)
        if not names:
            first = log.sql("SELECT f, row FROM fields ORDER BY row LIMIT 1")
            if not first:
                continue
            header, row = first[0]
            if header is None:
                raise DataError(f"{path}:{row}: the header has a quote that is not closed; correct it")
            names = distinct(header, path)
            log.rows_read -= 1
            log.db.execute("DELETE FROM fields WHERE row = ?", [row])
        records = "(SELECT row AS _row, f FROM fields)"
        unclosed = "a quote is not closed, or followed by more than the delimiter"
        log.refuse(f"{records} WHERE f IS NULL", unclosed)
        _refuse_length(log, records, len(names), "columns")
        columns = ", ".join(f"nullif(f[{n}], '') AS {name_of(name)}" for n, name in enumerate(names, 1))
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE records AS SELECT {columns}, row AS _row FROM fields "
            f"WHERE len(f) = {len(names)} ORDER BY row"
        )
        yield "FROM records"
    if not names:
        raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")


def _separated(
    log: RawLog,
    path: Path,
    separator: str,
    fields: str,
    names: list[str],
    header: Callable[[str], str],
    encoding: str,
) -> Iterator[str]:
    for lines in filled_lines(log, path, encoding):
        if not names:
            if not lines.num_rows:
                continue
            names = distinct([header(field) for field in lines["line"][0].as_py().split(separator)], path)
            log.rows_read -= 1
            lines = lines.slice(1)
        log.load("lines", lines)
        log.db.execute(
            "CREATE OR REPLACE TEMP TABLE fields AS "
            f"SELECT row AS _row, string_split(line, {quoted(separator)}) AS f FROM lines"
        )
        _refuse_length(log, "fields", len(names), fields)
        columns = ", ".join(f"f[{n}] AS {name_of(name)}" for n, name in enumerate(names, 1))
        yield f"SELECT {columns}, _row FROM fields WHERE len(f) = {len(names)}"
    if not names:
        raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")


def _refuse_length(log: RawLog, records: str, expected: int, fields: str) -> None:
    """Records (_row, f VARCHAR[]) of another number of fields are malformed."""
    reason = f"expected {expected} {fields}, found {COUNT}"
    log.refuse(f"{records} WHERE len(f) <> {expected}", reason, counts=["len(f)"])


def distinct(names: list[str], path: Path) -> list[str]:
    """The names of the columns; one without a name, such as the numbers that pandas writes, gets one.

    Raises:
        DataError: two are equal but for case, or there are more than anyone has.
    """
    if len(names) > MAX_COLUMNS:
        raise DataError(
            f"{path}: has {len(names):,} columns, at most {MAX_COLUMNS:,} are read; is the delimiter right?"
        )
    seen = {"_row"}
    names = [name or f"column {n}" for n, name in enumerate(names, 1)]
    for name in names:
        if name.lower() in seen:
            raise DataError(f"{path}: two columns have one name; rename one", f": '{name}'")
        seen.add(name.lower())
    return names


def require(columns: Sequence[str], wanted: str, path: Path, key: str) -> str:
    """The SQL identifier of a column that must be there.

    Raises:
        DataError: it is not; the message names the columns there are.
    """
    if wanted in columns:
        return name_of(wanted)
    # Without a header, the first row's values are the names.
    more = f" and {len(columns) - _NAMED:,} more" if len(columns) > _NAMED else ""
    has = f"{suggestion(wanted, list(columns))}; it has: {', '.join(columns[:_NAMED])}{more}"
    raise DataError(f"{path}: has no column '{wanted}' ({key})", has)
