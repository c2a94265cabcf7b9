"""Raw files as relations of columns with the number of each row in its file, block by block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interestrec.core.deferred_import import duckdb, pa
from interestrec.core.errors import DataError, InputMissingError, from_os_error
from interestrec.io.parquet_limits import limit_violation
from interestrec.rawfiles.column_names import identifier, require_column
from interestrec.rawfiles.delimited_tables import delimited_relations, separated_relations
from interestrec.rawfiles.file_ranges import range_key
from interestrec.rawfiles.file_signatures import reason_not_parquet
from interestrec.rawfiles.json_records import json_relations, object_blocks
from interestrec.rawfiles.nested_rows import ENTRIES_PER_RECORD, nested_relations, record_columns
from interestrec.rawfiles.packed_files import DELIMITERS, JSON, PARQUET, kind_of
from interestrec.rawfiles.range_relations import range_relations
from interestrec.rawfiles.raw_log import RawLog, sql_string
from interestrec.rawfiles.remote_files import remote_cache
from interestrec.rawfiles.text_layout import BY_SUFFIX, TextLayout
from interestrec.rawfiles.value_paths import parse_path, struct_value


def scan(
    log: RawLog, path: Path, names: Sequence[str], layout: TextLayout = BY_SUFFIX, auxiliary: bool = False
) -> Iterator[dict[str, str]]:
    """Fill the relation `raw` with a file's columns and `_row`, block after block; yields the column types by name.

    Columns of CSV, TSV and JSON lines are text, null where empty, and `_row` is the line that a record begins in;
    malformed records go to `bad_rows`. Parquet keeps its types, `_row` counts from 1, and the file is one block that
    is read while it is used. `.gz` may follow the suffix of text files. Directories such as `day=2026-03-01` above the
    file become columns of text.

    Args:
        names: columns to read. Delimited and Parquet files yield all others, too. In JSON and Parquet a name may be a
            path to a value within another, see `value_paths`.
        layout: of the file, where the suffix does not determine it. Where it unnests lists, every entry is a row, and
            `_row` tells the record and the place in it.
        auxiliary: whether the rows only complete rows of other files: they count as kept and get no `ord`.

    Raises:
        InputMissingError, DataError: the file is missing, of an unknown kind, or not readable as its kind.
    """
    unit = ENTRIES_PER_RECORD if layout.unnest else 1
    yield from _blocks(log, path, _relations(log, path, names, layout), auxiliary, unit)


@dataclass(frozen=True)
class LandedFile:
    """Columns of one raw file as a relation that can be read more than once."""

    path: Path
    relation: str  # a table or view of the database, with `_row`
    types: dict[str, str]  # SQL type of each column by name
    base: int  # `ord` of a row minus its number in the file


def land(
    log: RawLog, path: Path, names: Mapping[str, str], layout: TextLayout = BY_SUFFIX, auxiliary: bool = False
) -> LandedFile | None:
    """Read columns of a file into the database, where they can be read more than once; Parquet stays a file.

    `log.return_to(landed.path, landed.base)` makes the file the current one again before its rows are handed over.

    Args:
        names: columns to keep, each with the configuration key that names it, for the message when it is missing.
        auxiliary: see `scan`.

    Returns:
        None if the file has no rows.

    Raises:
        InputMissingError, DataError: as `scan`; also when a column is missing.
    """
    relation = f"landed_{log.rows('sources')}"
    landed: LandedFile | None = None
    for columns in scan(log, path, list(names), layout, auxiliary):
        kept = ", ".join(["_row", *(require_column(list(columns), name, path, key) for name, key in names.items())])
        if landed is not None:
            log.db.execute(f"INSERT INTO {relation} SELECT {kept} FROM raw")
            continue
        # The view `raw` of a Parquet file is read once more instead of being copied.
        kind = "VIEW" if kind_of(path) == PARQUET else "TABLE"
        log.db.execute(f"CREATE TEMP {kind} {relation} AS SELECT {kept} FROM ({log.current_relation})")
        landed = LandedFile(path, relation, {name: columns[name] for name in names}, log.base)
    return landed


def _relations(log: RawLog, path: Path, names: Sequence[str], layout: TextLayout) -> Iterator[str]:
    """Return the SQL of the relations of a file's blocks, by the file's kind."""
    if not path.is_file():
        raise InputMissingError(f"{path}: no such file; check data.root and the file's name")
    if (ranges := log.ranges.get(range_key(path, names, layout))) is not None:
        return range_relations(log, ranges)
    if not layout.unnest:
        return records(log, path, names, layout)
    of_records = records(log, path, record_columns(names, layout), layout)
    return nested_relations(log, path, of_records, layout, names, lazy=kind_of(path) == PARQUET)


def records(log: RawLog, path: Path, names: Sequence[str], layout: TextLayout) -> Iterator[str]:
    """Return the SQL of relations of the records of a file, or of its range `log.part`, by the file's kind."""
    kind = kind_of(path)
    if kind == PARQUET:
        return _parquet(log, path, names)
    if kind in JSON:
        return json_relations(log, path, names, layout.encoding)
    if layout.delimiter or kind in DELIMITERS:
        delimiter = layout.delimiter or DELIMITERS[kind]
        # Tables separated by tabs and `.dat` files hardly ever have quotes that enclose fields.
        sparse = delimiter == "\t" or kind == ".dat"
        return delimited_relations(log, path, names, layout, delimiter, sparse)
    raise DataError(
        f"{path}: unknown kind of file; use .csv, .tsv, .jsonl or .parquet (.gz, .bz2, .xz, .zst or .zip may follow "
        "text), or set `delimiter`"
    )


def scan_fields(
    log: RawLog,
    path: Path,
    separator: str,
    fields: str,
    names: Sequence[str] = (),
    header: Callable[[str], str] = str,
    fallback: str = "utf-8",
) -> Iterator[dict[str, str]]:
    """Scan, as `scan` does, a file whose fields are separated by a text and never quoted; an empty field is empty text.

    Args:
        separator: text between fields.
        fields: noun for the fields in messages, such as `tab-separated fields`.
        names: names of the columns. Without any the first line is a header, and `header` maps its fields to names.
        fallback: encoding of blocks that are not UTF-8.

    Raises:
        InputMissingError, DataError: the file is missing, is not text, or lacks the header.
    """
    yield from _blocks(log, path, separated_relations(log, path, separator, fields, list(names), header, fallback))


def scan_objects(log: RawLog, path: Path, auxiliary: bool = False) -> Iterator[dict[str, str]]:
    """Scan JSON lines, as `scan` does, with each object as text in the column `record`."""
    blocks = ("SELECT row AS _row, line AS record FROM lines" for _ in object_blocks(log, path))
    yield from _blocks(log, path, blocks, auxiliary)


def _blocks(
    log: RawLog, path: Path, relations: Iterator[str], auxiliary: bool = False, unit: int = 1
) -> Iterator[dict[str, str]]:
    """Make each relation the view `raw` and yield the types of its columns."""
    log.start_file(path, unit)
    keys = _partitions(path, log.quality.root)
    try:
        for relation in relations:
            log.current_relation = f"SELECT *{keys} FROM ({relation})"
            log.db.execute(f"CREATE OR REPLACE TEMP VIEW raw AS {log.current_relation}")
            types = {name: kind for name, kind, *_ in log.sql("DESCRIBE raw")}
            if auxiliary:
                log.rows_kept += log.rows("raw")
            else:
                log.advance_to(log.number("SELECT max(_row) FROM raw"))
            yield {name: kind for name, kind in types.items() if name != "_row"}
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: cannot be read; check the file", f" ({reason})") from error


def _partitions(path: Path, root: Path) -> str:
    """Return the SQL of the columns that directories `key=value` below the root, or in object storage, define."""
    base = next((base for base in (root, remote_cache()) if path.is_relative_to(base)), None)
    parts = path.relative_to(base).parent.parts if base is not None else ()
    pairs = [part.split("=", 1) for part in parts if re.fullmatch(r"[A-Za-z_]\w*=.*", part)]
    return "".join(f", {sql_string(value)} AS {identifier(key)}" for key, value in pairs)


def _parquet(log: RawLog, path: Path, names: Sequence[str]) -> Iterator[str]:
    _require_plausible(path)
    limit = "" if log.sample is None else f" LIMIT {log.sample}"
    source = f"FROM read_parquet({sql_string(str(path))}, file_row_number = true, hive_partitioning = false){limit}"
    rows = log.number(f"SELECT count(*) FROM ({source})")
    log.rows_read += rows
    log.is_cut |= rows == log.sample
    columns = {row[0] for row in log.sql(f"DESCRIBE {source}")}
    nested = "".join(_nested_values(log, source, names, columns))
    yield f"SELECT * EXCLUDE (file_row_number){nested}, file_row_number + 1 AS _row {source}"


def _nested_values(log: RawLog, source: str, names: Sequence[str], columns: set[str]) -> Iterator[str]:
    """Yield the SQL of the wanted values within the structs and lists of a Parquet file."""
    for name in names:
        path = parse_path(name)
        column = str(path.steps[0][1])
        if name in columns or path.is_plain or column not in columns:
            continue
        value = f", {struct_value(identifier(column), path.steps[1:])} AS {identifier(name)}"
        try:
            log.sql(f"DESCRIBE SELECT *{value} {source}")
        except duckdb.BinderException:  # there is none, and the reader says that the column is missing
            continue
        yield value


def _require_plausible(path: Path) -> None:
    import pyarrow.parquet as pq

    if reason := reason_not_parquet(path):
        raise DataError(f"{path}: {reason}")
    try:
        fault = limit_violation(pq.read_metadata(path), path.stat().st_size)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # a damaged file has no errno
            raise from_os_error(error, path) from error
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read; check the file", f" ({reason})") from error
    if fault:
        raise DataError(f"{path}: is not a plausible table, {fault}; do not use it")
