"""A table whose files have all been read into the database, so that each column is read by one decision over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from interestrec.columns.id_notations import AS_READ, IdNotation, IdSpelling, decide_id
from interestrec.columns.number_notations import NumberNotation, decide_number
from interestrec.columns.table_settings import NotationSettings, RowCondition
from interestrec.columns.time_notations import TimeNotation, decide_time
from interestrec.columns.whole_columns import ColumnPart, WholeColumn
from interestrec.core.section import Section
from interestrec.rawfiles.raw_log import RawLog
from interestrec.rawfiles.raw_tables import LandedFile, land
from interestrec.rawfiles.text_layout import BY_SUFFIX, TextLayout


@dataclass
class LandedTable:
    """The landed files of a table, and the notation of each of its columns, decided when first asked for.

    Args:
        settings: how its values are written.
        key: configuration key of the table, such as `data.events`.
        files: its files that have rows.
    """

    log: RawLog
    settings: NotationSettings
    key: str
    files: list[LandedFile]
    _columns: dict[tuple[str, bool], WholeColumn] = field(default_factory=dict)

    def read_as(self, settings: NotationSettings, key: str) -> LandedTable:
        """Return the same files, with the values of their columns written as other settings say."""
        return LandedTable(self.log, settings, key, self.files)

    def column(self, name: str, with_nulls: bool = True) -> WholeColumn:
        """Return a column over all files.

        Args:
            with_nulls: whether the texts of `null_values` stand for missing values in it.
        """
        if (name, with_nulls) not in self._columns:
            parts = tuple(ColumnPart(file.relation, file.types[name]) for file in self.files)
            place = str(self.files[0].path) if self.files else self.key
            place += f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
            nulls = tuple(self.settings.null_values) if with_nulls else ()
            self._columns[name, with_nulls] = WholeColumn(self.log, name, parts, nulls, place, self.key)
        return self._columns[name, with_nulls]

    def elements(self, name: str, lists: Mapping[str, str]) -> WholeColumn:
        """Return the elements of a column of lists, as a column `x`.

        Args:
            lists: SQL of the lists of the column by the column's type; see `element_type`.
        """
        parts = []
        for file in self.files:
            sql_type = file.types[name]
            values = f"(SELECT unnest({lists[sql_type]}) AS x FROM {file.relation})"
            parts.append(ColumnPart(values, element_type(sql_type)))
        column = self.column(name)
        return WholeColumn(self.log, "x", tuple(parts), column.nulls, column.place, self.key)

    def id(self, name: str, spelling: IdSpelling = AS_READ, with_nulls: bool = True) -> IdNotation:
        """Decide how the ids of a column are written; see `decide_id` and `column`."""
        return decide_id(self.column(name, with_nulls), spelling)

    def number(self, name: str) -> NumberNotation:
        """Decide how the numbers of a column are written; see `decide_number`."""
        return decide_number(self.column(name), self.settings.decimal)

    def time(self, name: str, is_mapped: bool = True) -> TimeNotation:
        """Decide how the times of a column are written; see `decide_time`.

        Args:
            is_mapped: whether `time_format` and `time_unit` of the table describe the column.
        """
        if not is_mapped:
            return decide_time(self.column(name))
        return decide_time(self.column(name), self.settings.time_format, self.settings.time_unit)

    def take_files(self) -> Iterator[LandedFile]:
        """Yield each file as the current one of the log; its rows are dropped after use."""
        for file in self.files:
            self.log.return_to(file.path, file.base)
            yield file
            if self.log.sql("FROM duckdb_tables() WHERE table_name = ?", [file.relation]):  # Parquet is a view
                self.log.db.execute(f"DROP TABLE {file.relation}")


def land_table(
    log: RawLog, paths: Sequence[Path], names: Mapping[str, str], settings: NotationSettings, key: str
) -> LandedTable:
    """Read the columns of a table's files into the database.

    Args:
        paths: the files.
        names: columns to read, each with the configuration key that names it.
        settings: how its values are written and, where it is a `TextLayout`, how its text files are laid out.
        key: configuration key of the table, such as `data.events`.

    Raises:
        InputMissingError, DataError: see `land`.
    """
    layout = settings if isinstance(settings, TextLayout) else BY_SUFFIX
    if log.divide is not None:
        log.ranges |= log.divide(paths, list(names), layout)
    landed = [land(log, path, names, layout) for path in paths]
    files = [file for file in landed if file is not None]
    return LandedTable(log, settings, key, files)


def column_keys(mapping: Section, key: str, where: Sequence[RowCondition] = ()) -> dict[str, str]:
    """Return the columns that a mapping and conditions name, each with the first configuration key that names it.

    Args:
        mapping: roles to a column or a list of columns, such as `ItemColumns`.
        key: configuration key of the table, such as `data.items`.
    """
    keys: dict[str, str] = {}
    for role, value in mapping:
        for name in value if isinstance(value, list) else [value]:
            if name and role != "category_separator":
                keys.setdefault(name, f"{key}.columns.{role}")
    for position, condition in enumerate(where):
        keys.setdefault(condition.column, f"{key}.where.{position}.column")
    return keys


def attribute_keys(attributes: Sequence[str], key: str) -> dict[str, str]:
    """Return the columns that the attributes of a table name, each with its configuration key."""
    return dict.fromkeys(attributes, f"{key}.attributes")


def element_type(sql_type: str) -> str:
    """Return the type of the elements of a list; a column of text holds lists of text."""
    return sql_type.removesuffix("[]")
