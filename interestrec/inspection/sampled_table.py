"""Samples of raw tables: their first rows in the database, read by the readers that `preprocess` uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from interestrec.columns.table_settings import TableSettings
from interestrec.core.errors import DataError
from interestrec.inspection.column_profile import ColumnProfile, profile_columns
from interestrec.inspection.layout_guess import guess_layout
from interestrec.inspection.raw_file_list import FileGroup
from interestrec.rawfiles.column_names import identifier
from interestrec.rawfiles.packed_files import open_unpacked
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import scan, scan_fields, scan_objects

SAMPLE_ROWS = 200_000  # rows of a table that are looked at
_MAX_FILES = 3  # parts of a table that are looked at
_MAX_COLUMNS = 300


@dataclass(frozen=True)
class SampledTable:
    """The first rows of a table and the profiles of its columns."""

    group: FileGroup
    relation: str  # table of the log's database
    columns: tuple[ColumnProfile, ...]
    rows: int
    is_whole: bool  # whether these are all rows
    bad_rows: int
    layout: Mapping[str, Any]  # keys of the configuration's table
    delimiter: str  # of a text file, else empty
    has_header: bool
    is_header_sure: bool

    def column(self, name: str) -> ColumnProfile:
        """Return the profile of a column by its name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]


def sample_table(log: RawLog, group: FileGroup, layout: Mapping[str, Any] | None = None) -> SampledTable:
    """Read the first rows of a table into the log's database and profile its columns.

    Args:
        log: a log with `sample` set.
        layout: keys of the table's layout to read it by; None = as they are guessed.

    Raises:
        InputMissingError, DataError: the file cannot be read, or has no rows.
    """
    relation = f"sampled_{log.rows('sources')}"
    guess = guess_layout(group.paths[0]) if group.kind == "text" else None
    keys = dict(layout) if layout is not None else dict(guess.keys if guess else {})
    bad = log.rows("bad_rows")
    created = False
    for path in group.paths[:_MAX_FILES]:
        if guess is not None and guess.delimiter == "::":
            names = guess.header or [str(n) for n in range(1, _width(guess.header, path) + 1)]
            blocks = scan_fields(log, path, "::", "fields separated by ::", names, fallback="latin-1")
        else:
            settings = TableSettings(files=[path.name], **keys)
            blocks = scan(log, path, _json_keys(log, group) if group.kind == "json" else [], settings)
        for types in blocks:
            if len(types) > _MAX_COLUMNS:
                raise DataError(f"{path}: has {len(types):,} columns; check the delimiter")
            kept = ", ".join(map(identifier, types))
            if created:
                log.db.execute(f"INSERT INTO {relation} BY NAME SELECT {kept} FROM raw")
            else:
                log.db.execute(f"CREATE TEMP TABLE {relation} AS SELECT {kept} FROM raw")
                created = True
    rows = log.rows(relation) if created else 0
    if not rows:
        raise DataError(f"{group.paths[0]}: has no rows that can be read; check its delimiter and encoding")
    described = [(name, kind) for name, kind, *_ in log.sql(f"DESCRIBE {relation}")]
    is_whole = len(group.paths) <= _MAX_FILES and rows < (log.sample or rows + 1) - 1
    return SampledTable(
        group=group,
        relation=relation,
        columns=tuple(profile_columns(log, relation, described)),
        rows=rows,
        is_whole=is_whole,
        bad_rows=log.rows("bad_rows") - bad,
        layout=keys,
        delimiter=guess.delimiter if guess else "",
        has_header=keys.get("header", True) if guess else True,
        is_header_sure=guess.is_header_sure if guess and layout is None else True,
    )


def _width(header: list[str] | None, path: Any) -> int:
    with open_unpacked(path) as source:
        return source.readline().count(b"::") + 1


def _json_keys(log: RawLog, group: FileGroup) -> list[str]:
    """Return the keys of the first objects; those of an inner object as `outer.inner`."""
    found: dict[str, None] = {}
    rows, kept, sample = log.rows_read, log.rows_kept, log.sample
    log.sample = 1000
    for _ in scan_objects(log, group.paths[0]):
        for (name,) in log.sql("SELECT DISTINCT unnest(json_keys(record)) AS k FROM (FROM raw LIMIT 1000) ORDER BY k"):
            path = '$."' + name.replace('"', '\\"') + '"'
            inner = log.sql(
                "SELECT DISTINCT k FROM (SELECT unnest(json_keys(record, ?)) AS k FROM raw "
                "WHERE json_type(record, ?) = 'OBJECT' LIMIT 200) ORDER BY k",
                [path, path],
            )
            found |= dict.fromkeys([f"{name}.{key}" for (key,) in inner[:20]] or [name])
    log.rows_read, log.rows_kept, log.sample = rows, kept, sample
    log.db.execute("DELETE FROM bad_rows WHERE source = ?", [str(group.paths[0])])
    return list(found)
