"""Opening raw files as relations of columns with the number of each row in its file, block by block."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from interestrec.core.choices import suggestion
from interestrec.core.errors import DataError, InputMissingError, from_os_error
from interestrec.formats.raw_log import RawLog, quoted
from interestrec.formats.text_lines import filled_lines, read_lines
from interestrec.io.parquet_limits import MAX_COLUMNS, limit_violation

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMED = 50  # columns that a message lists
_MOST_LINES = 10_000  # of one record of CSV; a quote that is open for longer was never meant to be one


def name_of(column: str) -> str:
    """A column's name as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def scan(log: RawLog, path: Path, wanted: Sequence[str], delimiter: str | None) -> Iterator[dict[str, str]]:
    """Relation `raw` with a file's columns plus `_row`, block after block; yields the columns' types by name.

    Columns of CSV, TSV and JSON lines are text, null where empty, `_row` is the line a record begins in; malformed
    records go to `bad_rows`. Parquet keeps its types, `_row` counts from 1, and the whole file is one block that is
    read while it is used. `.gz` may follow the suffix of text. Of JSON lines only `wanted` is there, where `a.b` is
    the value b within a. Directories such as `day=2026-03-01` above the file are columns of text, too.

    Raises:
        InputMissingError, DataError: the file is missing, of no known kind, or not readable as what it is.
    """
    if not path.is_file():
        raise InputMissingError(f"{path}: no such file; check data.root and the file's name")
    kind = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    try:
        if kind == ".parquet":
            blocks = _parquet(log, path)
        elif kind in (".jsonl", ".ndjson", ".json"):
            blocks = _json_lines(log, path, wanted)
        elif delimiter or kind in _DELIMITERS:
            blocks = _delimited(log, path, delimiter or _DELIMITERS[kind])
        else:
            raise DataError(f"{path}: unknown kind of file; use .csv, .tsv, .jsonl, .parquet, or give `delimiter`")
        for relation in blocks:
            keys = _partitions(path, log.quality.root)
            log.db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS SELECT *{keys} FROM ({relation})")
            types = {name: kind for name, kind, *_ in log.sql("DESCRIBE raw")}
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
    fine = "coalesce(json_type(try_cast(line AS JSON)) = 'OBJECT', false)"
    keys: set[str] = set()
    found: set[str] = set()
    for lines in filled_lines(log, path):
        log.load("lines", lines)
        log.db.execute(
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, 'not a JSON object' FROM lines "
            f"WHERE NOT {fine}; DELETE FROM lines WHERE NOT {fine}"
        )
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
    """CSV and its kin (RFC 4180): a header, fields that may be quoted, quoted fields that may span lines."""
    names: list[str] = []
    for lines in _whole_records(read_lines(log, path), delimiter):
        _split_fields(log, lines, delimiter)
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
        log.db.execute(
            f"INSERT INTO bad_rows SELECT {quoted(str(path))}, row, CASE WHEN f IS NULL THEN 'a quote is not closed, "
            f"or followed by more than the delimiter' ELSE 'expected {len(names)} columns, found ' || len(f) END "
            f"FROM fields WHERE f IS NULL OR len(f) <> {len(names)}"
        )
        columns = ", ".join(f"nullif(f[{n}], '') AS {name_of(name)}" for n, name in enumerate(names, 1))
        log.db.execute(
            f"CREATE OR REPLACE TEMP TABLE records AS SELECT {columns}, row AS _row FROM fields "
            f"WHERE len(f) = {len(names)} ORDER BY row"
        )
        yield "FROM records"
    if not names:
        raise DataError(f"{path}: the file is empty; expected a header with the names of the columns")


def _split_fields(log: RawLog, lines: pa.Table, delimiter: str) -> None:
    """Table `fields` (row, f VARCHAR[]): the fields without their quotes, null where the quotes are wrong."""
    field, record = _patterns(delimiter)
    # Every match begins with a delimiter, so that no match is empty.
    fields = f"regexp_extract_all({quoted(delimiter)} || line, {quoted(f'(?s){re.escape(delimiter)}({field})')}, 1)"
    bare = "lambda x: CASE WHEN starts_with(x, '\"') THEN replace(x[2:-2], '\"\"', '\"') ELSE x END"
    log.load("lines", lines)
    log.db.execute(
        "CREATE OR REPLACE TEMP TABLE fields AS SELECT row, CASE "
        f"WHEN NOT contains(line, '\"') THEN string_split(line, {quoted(delimiter)}) "
        f"WHEN regexp_full_match(line, {quoted(record)}) THEN list_transform({fields}, {bare}) END AS f "
        "FROM lines WHERE line <> ''"
    )


def _patterns(delimiter: str) -> tuple[str, str]:
    """Regular expressions of a field and of a whole record."""
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"|[^"{d}][^{d}]*|)'
    return field, f"(?s){field}(?:{d}{field})*"


def _whole_records(blocks: Iterator[pa.Table], delimiter: str) -> Iterator[pa.Table]:
    """Tables (row, line) in which a record whose quoted fields span lines is one line, whatever block it began in.

    A line that is a record by itself stays one: a lone quote within an unquoted field is harmless.
    """
    record = re.compile(_patterns(delimiter)[1])
    pending: list[tuple[int, str]] = []
    for block in blocks:
        quotes = block["line"].filter(pc.match_substring(block["line"], '"'))
        if not pending and all(record.fullmatch(text) for text in quotes.to_pylist()):
            yield block
            continue
        lines = [*pending, *zip(block["row"].to_pylist(), block["line"].to_pylist(), strict=True)]
        joined, pending = _join(lines, record)
        yield _lines(joined)
    if pending:
        yield _lines(pending)


def _join(lines: list[tuple[int, str]], record: re.Pattern[str]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Records of (row, text) from lines, and the lines of one that is still open at the end.

    A line that is no record by itself, for it opens a quote, goes on to the line with the quote that closes it.
    """
    joined: list[tuple[int, str]] = []
    pending: list[tuple[int, str]] = []
    for row, text in lines:
        odd = text.count('"') % 2 == 1
        if not pending and (not odd or record.fullmatch(text)):
            joined.append((row, text))
            continue
        pending.append((row, text))
        if odd and len(pending) > 1:
            joined.append((pending[0][0], "\n".join(part for _, part in pending)))
            pending = []
        elif len(pending) > _MOST_LINES:
            joined.extend(pending)
            pending = []
    return joined, pending


def _lines(rows: list[tuple[int, str]]) -> pa.Table:
    return pa.table(
        {
            "row": pa.array([row for row, _ in rows], pa.int64()),
            "line": pa.array([t for _, t in rows], pa.large_string()),
        }
    )


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


def moment(number: str, microseconds: int) -> str:
    """SQL of a number of units of so many microseconds since 1970 as a timestamp; null outside 1900 to 2200.

    A year beyond is a unit mistaken for another.
    """
    first, last = -2_208_988_800 * 1_000_000 // microseconds, 7_258_118_400 * 1_000_000 // microseconds
    stamp = f"make_timestamp(CAST({number} * {microseconds} AS BIGINT))"
    return f"CASE WHEN {number} BETWEEN {first} AND {last} THEN {stamp} END"


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
